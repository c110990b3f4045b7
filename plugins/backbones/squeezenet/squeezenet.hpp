#pragma once

#include <memory>
#include <string>
#include <vector>

#include <ATen/core/Generator.h>

#include "seedbed/backbone.hpp"
#include "seedbed/layers.hpp"
#include "seedbed/step_chain.hpp"
#include "squeezenet_manifest.hpp"

namespace seedbed::squeezenet {

/// Parameter names are torchvision's: features.0, features.3.squeeze ... classifier.1.
class SqueezeNet final : public Backbone {
 public:
  SqueezeNet(const SqueezenetParameters& parameters, const at::Generator& generator);

  Normalisation normalisation() const override;
  std::vector<TapInfo> taps() const override { return chain_.taps(); }
  std::vector<Site> sites() const override { return chain_.sites(); }
  std::int64_t minimum_size_px() const override;
  ForwardResult forward(const ForwardRequest& request) override;
  std::shared_ptr<Backbone> clone() const override;
  at::Tensor reference_logits(const at::Tensor& final_tap) override;

  /// What the classifier gives before its ReLU, [N,1000,h,w]: the ImageNet class maps. The Caffe form has a ring of one
  /// cell around them, made by the padding of its last convolution.
  at::Tensor reference_maps(const at::Tensor& final_tap) const;

 private:
  class Layers;
  void add_stem(Layers& features);
  void add_pool(std::int64_t index);
  void add_fire(Layers& features, std::int64_t index, std::int64_t fire);
  // A tap of the step added last: features.INDEX, also known as `names`, of which the first one leads.
  void add_tap(std::int64_t index, std::vector<std::string> names = {});

  SqueezenetParameters parameters_;
  at::Generator generator_;
  StepChain chain_;
  std::shared_ptr<Conv2d> classifier_;
  std::int64_t channels_ = 0;  // of the step added last
  double stride_px_ = 1;
};

}  // namespace seedbed::squeezenet
