#pragma once

#include <memory>
#include <string>
#include <vector>

#include <ATen/core/Generator.h>

#include "seedbed/backbone.hpp"
#include "seedbed/layers.hpp"
#include "seedbed/step_chain.hpp"
#include "vgg16_manifest.hpp"

namespace seedbed::vgg16 {

/// Parameter names are torchvision's (features.0 ...) with SEC's fc6 and fc7, or PSA's (conv1_1 ... fc7).
class Vgg16 final : public Backbone {
 public:
  Vgg16(const Vgg16Parameters& parameters, const at::Generator& generator);

  Normalisation normalisation() const override;
  std::vector<TapInfo> taps() const override { return chain_.taps(); }
  std::vector<Site> sites() const override { return chain_.sites(); }
  std::int64_t minimum_size_px() const override;
  ForwardResult forward(const ForwardRequest& request) override;
  std::shared_ptr<Backbone> clone() const override;

  /// Passes over the classifiers of the reference files.
  StateReport load_weights(const NamedTensors& tensors) override;

 private:
  class Layers;
  bool padded_pools() const { return parameters_.variant == "largefov" || parameters_.variant == "psa"; }
  bool dilated() const { return padded_pools() || parameters_.variant == "drs"; }
  void add_stage(std::int64_t number, std::int64_t depth, std::int64_t width, const at::Generator& generator);
  void add_pool(const std::string& name, std::int64_t kernel, std::int64_t stride);
  void add_wide_layers(const at::Generator& generator);

  Vgg16Parameters parameters_;
  StepChain chain_;
  std::shared_ptr<Layers> features_;  // null for psa, whose layers have no common parent
  std::shared_ptr<Conv2d> first_;
  std::int64_t index_ = 0;     // in torchvision's features
  std::int64_t channels_ = 3;  // of the step added last
  double stride_px_ = 1;
};

}  // namespace seedbed::vgg16
