#pragma once

#include <memory>
#include <string>
#include <utility>

#include <torch/nn/module.h>

#include "seedbed/module.hpp"

// The only header of the SDK that includes torch/*; no other includes it.
namespace seedbed {

/// A torch::nn module as a seedbed::Module: same names, same tensors, same train mode, so that checkpoints, optimisers
/// and devices see a network written with torch::nn.
///
///   class MyHead : public SegmentationHead {
///     MyHead() { register_module("net", std::make_shared<TorchModule>(net_.ptr())); }
///     torch::nn::Sequential net_{...};
///   };
///
/// Modules must be complete when they are wrapped: what is registered later is not seen. torch::nn draws initial values
/// and dropout from the process-wide generator, which the host seeds around each call (CONTRACT.md, "Randomness").
class TorchModule : public Module {
 public:
  explicit TorchModule(std::shared_ptr<torch::nn::Module> module) : module_(std::move(module)) {
    for (const auto& item : module_->named_parameters(/*recurse=*/false)) {
      if (item.value().defined()) register_parameter(item.key(), item.value(), item.value().requires_grad());
    }
    for (const auto& item : module_->named_buffers(/*recurse=*/false)) {
      if (item.value().defined()) register_buffer(item.key(), item.value());
    }
    for (const auto& item : module_->named_children()) {
      register_module(item.key(), std::make_shared<TorchModule>(item.value()));
    }
    train(false);  // as every seedbed::Module starts; torch::nn starts training
  }

 protected:
  void on_train_mode(bool on) override { module_->train(on); }

 private:
  std::shared_ptr<torch::nn::Module> module_;
};

}  // namespace seedbed
