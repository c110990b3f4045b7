#pragma once

#include <memory>
#include <string>
#include <vector>

#include <ATen/core/Generator.h>

#include "seedbed/backbone.hpp"
#include "seedbed/layers.hpp"
#include "seedbed/step_chain.hpp"

namespace seedbed::resnet {

struct ResNetOptions {
  std::vector<std::int64_t> depths;  ///< blocks of layer1 to layer4
  bool bottleneck = false;
  bool irn = false;
  std::int64_t output_stride = 32;                  ///< read unless irn
  std::vector<std::int64_t> strides{2, 2, 2, 1};    ///< irn: of conv1, layer2, layer3, layer4
  std::vector<std::int64_t> dilations{1, 1, 1, 1};  ///< irn: of layer1 to layer4, from the second block on
  std::int64_t frozen_stages = 0;
};

/// Parameter names are torchvision's: conv1, bn1, layer1.0.conv1 ... fc.
class ResNet final : public Backbone {
 public:
  ResNet(const ResNetOptions& options, const at::Generator& generator);

  Normalisation normalisation() const override { return {}; }
  std::vector<TapInfo> taps() const override { return chain_.taps(); }
  std::vector<Site> sites() const override { return chain_.sites(); }
  std::int64_t minimum_size_px() const override { return 1; }  // every layer is padded
  ForwardResult forward(const ForwardRequest& request) override;
  std::shared_ptr<Backbone> clone() const override;

  /// The classifier may be absent from a file, and is left out of IRN's network.
  StateReport load_weights(const NamedTensors& tensors) override;
  at::Tensor reference_logits(const at::Tensor& final_tap) override;

 private:
  class Layers;
  struct StageShape;
  void add_stem(const at::Generator& generator);
  void add_stage(std::int64_t number, const StageShape& shape, const at::Generator& generator);

  ResNetOptions options_;
  StepChain chain_;
  std::shared_ptr<Conv2d> stem_;
  std::shared_ptr<Linear> classifier_;  // null for irn
  std::int64_t channels_ = 0;           // of the step added last
  double stride_px_ = 1;
};

}  // namespace seedbed::resnet
