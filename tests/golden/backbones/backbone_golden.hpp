#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <ATen/core/Tensor.h>

#include "seedbed/types.hpp"

/// The goldens of backbones and heads: what shared/goldens/backbones/index.toml, the folders `timm` and `deeplab_pytorch` beside this
/// file and the folders named in SEEDBED_GOLDENS_EXTRA hold (the folder's README.md says how they are compared).
namespace seedbed::testing {

/// One `[[golden]]` entry with its files.
class BackboneGolden {
 public:
  struct Entry;  // the parsed table
  explicit BackboneGolden(std::shared_ptr<const Entry> entry);

  const std::string& name() const;
  const std::string& group() const;
  const std::string& model() const;

  /// A value of the entry's `config`. Throws std::runtime_error where there is none and no other is given.
  std::int64_t integer(std::string_view key) const;
  std::vector<std::int64_t> integers(std::string_view key) const;
  double number(std::string_view key) const;
  std::vector<double> numbers(std::string_view key) const;
  bool flag(std::string_view key, bool otherwise) const;
  std::string text(std::string_view key, std::string_view otherwise) const;
  std::vector<std::string> texts(std::string_view key) const;
  bool has_list(std::string_view key) const;

  /// The formula tensor of every key of the reference model.
  NamedTensors weights() const;

  /// A formula tensor, zeros, or listed token ids.
  at::Tensor input(std::string_view name) const;
  std::vector<std::string> output_names() const;

  /// Compares with every stored output; fails the running test for a wrong or a missing one.
  void expect_outputs(const NamedTensors& found) const;

 private:
  std::shared_ptr<const Entry> entry_;
};

struct BackboneGoldenRunner {
  std::string group;
  std::string model;
  std::function<NamedTensors(const BackboneGolden&)> run;
};

/// Registers one test for each entry that a runner fits, a failing one for each of group `backbone` or `head` that none
/// fits, and one skipped test that lists the pending ones.
void register_backbone_goldens(const std::vector<BackboneGoldenRunner>& runners);

std::vector<BackboneGoldenRunner> clip_runners();
std::vector<BackboneGoldenRunner> convolutional_runners();
std::vector<BackboneGoldenRunner> squeezenet_runners();
std::vector<BackboneGoldenRunner> drs_runners();
std::vector<BackboneGoldenRunner> transformer_runners();
std::vector<BackboneGoldenRunner> head_runners();
std::vector<BackboneGoldenRunner> segformer_runners();

}  // namespace seedbed::testing
