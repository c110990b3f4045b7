#pragma once

#include <memory>
#include <string>
#include <vector>

#include <ATen/core/Generator.h>

#include "mobilenet_v2_manifest.hpp"
#include "seedbed/backbone.hpp"
#include "seedbed/layers.hpp"
#include "seedbed/step_chain.hpp"

namespace seedbed::mobilenet_v2 {

/// Parameter names are torchvision's: features.0.0, features.1.conv.0.0 ... classifier.1.
class MobileNetV2 final : public Backbone {
 public:
  MobileNetV2(const MobilenetV2Parameters& parameters, const at::Generator& generator);

  Normalisation normalisation() const override { return {}; }
  std::vector<TapInfo> taps() const override { return chain_.taps(); }
  std::vector<Site> sites() const override { return chain_.sites(); }
  std::int64_t minimum_size_px() const override { return 1; }  // every layer is padded
  ForwardResult forward(const ForwardRequest& request) override;
  std::shared_ptr<Backbone> clone() const override;

  /// The classifier may be absent from a file.
  StateReport load_weights(const NamedTensors& tensors) override;
  at::Tensor reference_logits(const at::Tensor& final_tap) override;

 private:
  class Layers;
  // features.INDEX: a convolution with norm and activation, or an inverted residual.
  void add_plain(Layers& features, std::int64_t index, const Conv2dOptions& options, const at::Generator& generator);
  void add_residual(Layers& features, std::int64_t index, std::int64_t expansion, std::int64_t width,
                    std::int64_t stride, const at::Generator& generator);
  void add_tap(std::int64_t index);

  MobilenetV2Parameters parameters_;
  StepChain chain_;
  std::shared_ptr<Linear> classifier_;
  std::int64_t channels_ = 3;  // of the step added last
  double stride_px_ = 1;
};

}  // namespace seedbed::mobilenet_v2
