#include "seedbed/module.hpp"

#include <algorithm>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "seedbed/error.hpp"

namespace seedbed {
namespace {

using Named = std::vector<std::pair<std::string, at::Tensor>>;

std::string shape_of(const at::Tensor& tensor) {
  std::string text = "[";
  for (const std::int64_t size : tensor.sizes()) text += (text.size() > 1 ? ", " : "") + std::to_string(size);
  return text + "]";
}

}  // namespace

Module::Module() = default;
Module::~Module() = default;

void Module::on_train_mode(bool /*on*/) {}

Named Module::named_parameters() const {
  Named all;
  for (const Entry& entry : parameters_) all.emplace_back(entry.name, entry.tensor);
  for (const Child& child : children_) {
    for (auto& [name, tensor] : child.module->named_parameters()) all.emplace_back(child.name + "." + name, tensor);
  }
  return all;
}

Named Module::named_buffers() const {
  Named all;
  for (const Entry& entry : buffers_) all.emplace_back(entry.name, entry.tensor);
  for (const Child& child : children_) {
    for (auto& [name, tensor] : child.module->named_buffers()) all.emplace_back(child.name + "." + name, tensor);
  }
  return all;
}

NamedTensors Module::state() const {
  NamedTensors all;
  for (auto& [name, tensor] : named_parameters()) all.emplace(name, tensor);
  for (auto& [name, tensor] : named_buffers()) all.emplace(name, tensor);
  return all;
}

StateReport Module::load_state(const NamedTensors& tensors) {
  const c10::NoGradGuard no_grad;
  StateReport report;
  const NamedTensors own = state();
  for (const auto& [name, target] : own) {
    const auto source = tensors.find(name);
    if (source == tensors.end()) {
      report.missing.push_back(name);
    } else if (source->second.sizes() != target.sizes()) {
      report.misshapen.push_back(name + ": `" + shape_of(source->second) + "` in the file, `" + shape_of(target) +
                                 "` in the module");
    } else {
      target.copy_(source->second);
    }
  }
  for (const auto& [name, unused] : tensors) {
    if (!own.contains(name)) report.extra.push_back(name);
  }
  return report;
}

Module::Entry* Module::find_parameter(std::string_view path) {
  const std::size_t dot = path.find('.');
  if (dot == std::string_view::npos) {
    const auto entry = std::ranges::find(parameters_, path, &Entry::name);
    return entry == parameters_.end() ? nullptr : &*entry;
  }
  const auto child = std::ranges::find(children_, path.substr(0, dot), &Child::name);
  return child == children_.end() ? nullptr : child->module->find_parameter(path.substr(dot + 1));
}

void Module::mark_new(const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    Entry* entry = find_parameter(name);
    if (!entry) throw ContractError("Module", "mark_new takes names of parameters", "a parameter", "`" + name + "`");
    entry->is_new = true;
  }
}

std::vector<std::string> Module::new_parameters() const {
  std::vector<std::string> names;
  for (const Entry& entry : parameters_) {
    if (entry.is_new) names.push_back(entry.name);
  }
  for (const Child& child : children_) {
    for (const std::string& name : child.module->new_parameters()) names.push_back(child.name + "." + name);
  }
  return names;
}

void Module::copy_from(const Module& other) {
  const StateReport report = load_state(other.state());
  if (!report.complete()) {
    const auto& problems = !report.misshapen.empty() ? report.misshapen
                           : !report.missing.empty() ? report.missing
                                                     : report.extra;
    throw ContractError("Module", "copy_from takes a module of the same structure", "equal names and shapes",
                        problems.front());
  }
  const Named sources = other.named_parameters();
  const Named targets = named_parameters();
  for (std::size_t i = 0; i < targets.size(); ++i)
    targets[i].second.set_requires_grad(sources[i].second.requires_grad());
  mark_new(other.new_parameters());
  train(other.is_training());
}

void Module::train(bool on) {
  training_ = on;
  for (const Child& child : children_) child.module->train(on);
  on_train_mode(on);
}

void Module::to(c10::Device device) {
  const c10::NoGradGuard no_grad;
  // set_data exchanges what a handle points to, so members that share the registered tensor follow.
  for (const auto* entries : {&parameters_, &buffers_}) {
    for (const Entry& entry : *entries) entry.tensor.set_data(entry.tensor.to(device));
  }
  for (const Child& child : children_) child.module->to(device);
}

void Module::set_requires_grad(bool on) {
  for (auto& [name, tensor] : named_parameters()) tensor.set_requires_grad(on);
}

at::Tensor Module::register_parameter(std::string name, at::Tensor value, bool requires_grad) {
  check_name(name);
  value.set_requires_grad(requires_grad);
  parameters_.push_back({std::move(name), value, false});
  return value;
}

at::Tensor Module::register_buffer(std::string name, at::Tensor value) {
  check_name(name);
  buffers_.push_back({std::move(name), value, false});
  return value;
}

void Module::add_child(std::string name, std::shared_ptr<Module> child) {
  check_name(name);
  if (!child) throw ContractError("Module", "a registered child exists", "a module", "null under `" + name + "`");
  children_.push_back({std::move(name), std::move(child)});
}

void Module::check_name(const std::string& name) const {
  const auto taken = [&](const auto& entries) {
    return std::any_of(entries.begin(), entries.end(), [&](const auto& entry) { return entry.name == name; });
  };
  if (name.empty() || name.find('.') != std::string::npos) {
    throw ContractError("Module", "a registered name is one word without dots", "such a word", "`" + name + "`");
  }
  if (taken(parameters_) || taken(buffers_) || taken(children_)) {
    throw ContractError("Module", "a name is registered once", "a new name", "`" + name + "` again");
  }
}

}  // namespace seedbed
