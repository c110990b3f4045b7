#include "extra_layers.hpp"

#include <cmath>
#include <string>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

namespace seedbed::drs {
namespace {

std::shared_ptr<Conv2d> convolution(const Conv2dOptions& options, double deviation, const at::Generator& generator) {
  auto layer = std::make_shared<Conv2d>(options, generator);
  const c10::NoGradGuard no_grad;
  const auto fan_out = static_cast<double>(options.kernel * options.kernel * options.out_channels);
  layer->weight.normal_(0, deviation > 0 ? deviation : std::sqrt(2.0 / fan_out), generator);
  layer->bias.zero_();
  return layer;
}

}  // namespace

ExtraLayers::ExtraLayers(const ExtraLayerOptions& options, const at::Generator& generator) {
  std::int64_t channels = options.in_channels;
  for (std::int64_t i = 1; i <= options.layers; ++i) {
    const Conv2dOptions shape{.in_channels = channels, .out_channels = options.width, .kernel = 3, .padding = 1};
    convolutions_.push_back(
        register_module("extra_conv" + std::to_string(i), convolution(shape, options.deviation, generator)));
    channels = options.width;
  }
  classifier_ = register_module("classifier",
                                convolution({.in_channels = channels, .out_channels = options.num_classes, .kernel = 1},
                                            options.deviation, generator));
}

at::Tensor ExtraLayers::forward(const at::Tensor& features_ndhw, const Activation& activation) const {
  at::Tensor value = features_ndhw;
  for (std::size_t i = 0; i < convolutions_.size(); ++i) value = activation(convolutions_[i]->forward(value), i);
  return classifier_->forward(value);
}

}  // namespace seedbed::drs
