#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <ATen/core/Tensor.h>

#include "seedbed/types.hpp"

/// The goldens of methods: what shared/goldens/methods/index.toml and the folders named in SEEDBED_GOLDENS_EXTRA hold.
namespace seedbed::testing {

/// One `[[golden]]` entry with its file.
class Golden {
 public:
  struct Entry;  // the parsed table
  explicit Golden(std::shared_ptr<const Entry> entry);

  const std::string& name() const;
  const std::string& component() const;
  const std::string& function() const;
  const std::string& source() const;

  /// Options of the entry. Throw std::runtime_error where the option is absent and no other value is given.
  double number(std::string_view option) const;
  double number(std::string_view option, double otherwise) const;
  std::vector<double> numbers(std::string_view option) const;
  std::string text(std::string_view option, std::string_view otherwise) const;

  /// The tensor `in.NAME`, or the formula input that the entry describes.
  at::Tensor input(std::string_view name) const;

  /// The formula weight `prefix.NAME`.
  at::Tensor weight(std::string_view name, at::IntArrayRef shape) const;

  std::vector<std::string> output_names() const;
  at::Tensor output(std::string_view name) const;

  /// Compares with every output as the entry says; fails the running test for a wrong or a missing one.
  void expect_outputs(const NamedTensors& found) const;

 private:
  std::shared_ptr<const Entry> entry_;
};

/// The entries of shared/goldens/methods and of SEEDBED_GOLDENS_EXTRA (a colon-separated list of folders with an
/// index.toml, or of folders that hold `methods/index.toml`). Empty without the shared folder.
std::vector<Golden> method_goldens();

/// What computes the outputs of the entries it fits.
struct GoldenRunner {
  std::string component;
  std::string function;  ///< as the entry names it
  std::string source;    ///< a part of the entry's source; "" fits any
  /// Empty: known, and pending until somebody computes it.
  std::function<NamedTensors(const Golden&)> run;

  bool fits(const Golden& golden) const;
};

/// Registers one test for each entry that a runner fits, one failing test for each other entry of `complete`
/// components (they cannot be dispatched), and one skipped test that lists everything else as pending.
void register_method_goldens(const std::vector<GoldenRunner>& runners, const std::vector<std::string>& complete);

}  // namespace seedbed::testing
