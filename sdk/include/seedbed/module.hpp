#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

#include "seedbed/export.hpp"
#include "seedbed/types.hpp"

namespace seedbed {

/// What loading a state found; all three lists empty means every tensor fitted.
struct StateReport {
  std::vector<std::string> missing;    ///< the module has it, the file does not
  std::vector<std::string> extra;      ///< the file has it, the module does not
  std::vector<std::string> misshapen;  ///< "name: `[2, 3]` in the file, `[2, 4]` in the module"
  bool complete() const { return missing.empty() && extra.empty() && misshapen.empty(); }
};

/// Anything with parameters: a tree of named parameters, buffers and child modules, a train mode and a device.
///
/// A registered tensor is shared with the caller: keep it as a member and use it directly.
/// Threads: [one-at-a-time] per tree.
class SEEDBED_API Module {
 public:
  Module();
  virtual ~Module();
  Module(const Module&) = delete;
  Module& operator=(const Module&) = delete;

  /// Own and inherited names joined by dots, in order of registration, parents before children.
  std::vector<std::pair<std::string, at::Tensor>> named_parameters() const;
  std::vector<std::pair<std::string, at::Tensor>> named_buffers() const;

  /// Parameters and buffers by name; tensors are shared, not copied.
  NamedTensors state() const;

  /// Copies values in. Shapes must match; a tensor that does not fit is reported and left as it was.
  StateReport load_state(const NamedTensors& tensors);

  /// Says of parameters, by name, that they did not come with the weights of the others: a class token that the file
  /// lacks, a layer of another shape. grouped_parameters() puts them into groups of their own. The host marks what a
  /// weights file left as it was. Throws: ContractError for a name that is no parameter.
  void mark_new(const std::vector<std::string>& names);

  /// The names of marked parameters, in order of registration.
  std::vector<std::string> new_parameters() const;

  /// Takes over values, gradient flags, marks of new parameters and train mode of a module of the same structure (what clone() does after it
  /// has built its copy). Throws: ContractError where names or shapes differ.
  void copy_from(const Module& other);

  void train(bool on);
  bool is_training() const { return training_; }

  /// Moves every tensor in place (registered handles stay valid).
  void to(c10::Device device);

  void set_requires_grad(bool on);

 protected:
  /// Registers a leaf that optimisers may change. Throws: ContractError on a repeated or dotted name.
  at::Tensor register_parameter(std::string name, at::Tensor value, bool requires_grad = true);
  at::Tensor register_buffer(std::string name, at::Tensor value);

  template <typename T>
  std::shared_ptr<T> register_module(std::string name, std::shared_ptr<T> child) {
    add_child(std::move(name), child);
    return child;
  }

  /// Called after train() changed the mode of this module.
  virtual void on_train_mode(bool on);

 private:
  struct Entry {
    std::string name;
    at::Tensor tensor;
    bool is_new = false;
  };
  struct Child {
    std::string name;
    std::shared_ptr<Module> module;
  };

  void add_child(std::string name, std::shared_ptr<Module> child);
  Entry* find_parameter(std::string_view path);
  void check_name(const std::string& name) const;

  std::vector<Entry> parameters_;
  std::vector<Entry> buffers_;
  std::vector<Child> children_;
  bool training_ = false;
};

}  // namespace seedbed
