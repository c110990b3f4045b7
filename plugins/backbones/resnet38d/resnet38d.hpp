#pragma once

#include <memory>
#include <string>
#include <vector>

#include <ATen/core/Generator.h>

#include "resnet38d_manifest.hpp"
#include "seedbed/backbone.hpp"
#include "seedbed/layers.hpp"
#include "seedbed/step_chain.hpp"

namespace seedbed::resnet38d {

/// Parameter names are PSA's: conv1a, b2.bn_branch2a, b2.conv_branch2a ... bn7.
class ResNet38d final : public Backbone {
 public:
  ResNet38d(const Resnet38dParameters& parameters, const at::Generator& generator);

  Normalisation normalisation() const override { return {}; }
  std::vector<TapInfo> taps() const override { return chain_.taps(); }
  std::vector<Site> sites() const override { return chain_.sites(); }
  std::int64_t minimum_size_px() const override { return 1; }  // every layer is padded
  ForwardResult forward(const ForwardRequest& request) override;
  std::shared_ptr<Backbone> clone() const override;

  /// Passes over the classifiers of the reference files (fc8, and the ImageNet one).
  StateReport load_weights(const NamedTensors& tensors) override;

 private:
  class Layers;
  class PreActivation;
  struct UnitConvolution;
  void add_unit(const std::string& name, const std::vector<UnitConvolution>& convolutions, double dropout,
                const at::Generator& generator);
  void add_pair(const std::string& name, std::int64_t width, std::int64_t out_channels, std::int64_t stride,
                std::int64_t first_dilation, std::int64_t dilation, const at::Generator& generator);
  void add_bottleneck(const std::string& name, std::int64_t out_channels, double dropout,
                      const at::Generator& generator);
  void add_tap(std::string name, std::vector<std::string> aliases = {});

  Resnet38dParameters parameters_;
  StepChain chain_;
  std::shared_ptr<Conv2d> stem_;
  std::int64_t channels_ = 0;  // of the step added last
  double stride_px_ = 1;
};

}  // namespace seedbed::resnet38d
