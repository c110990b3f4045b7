#include "deeplab_v3_plus.hpp"

#include <ATen/ATen.h>

#include "seedbed/kernels/resize.hpp"
#include "seedbed/map_tap.hpp"

namespace seedbed::deeplab {

DeepLabV3Plus::DeepLabV3Plus(const DeeplabV3PlusParameters& parameters, const ModelContext& context)
    : parameters_(parameters),
      project_({.in_channels = find_map_tap(*context.backbone, parameters.low_level_tap, "low_level_tap").channels,
                .out_channels = parameters.low_level_width},
               context.run->generator()),
      pyramid_(std::make_shared<AtrousPyramid>(find_map_tap(*context.backbone, parameters.tap, "tap").channels,
                                               parameters.width, parameters.atrous_rates, parameters.dropout,
                                               context.run->generator())) {
  const at::Generator generator = context.run->generator();
  project_.register_in(*register_module("project", std::make_shared<NamedModules>()), "0", "1");
  register_module("aspp", pyramid_);
  const auto modules = register_module("classifier", std::make_shared<NamedModules>());
  // Every third number is a ReLU of the reference.
  std::int64_t channels = parameters.low_level_width + parameters.width, number = 0;
  for (std::int64_t i = 0; i < parameters.decoder_convolutions; ++i, number += 3) {
    decoder_
        .emplace_back(
            Conv2dOptions{.in_channels = channels, .out_channels = parameters.width, .kernel = 3, .padding = 1},
            generator)
        .register_in(*modules, std::to_string(number), std::to_string(number + 1));
    channels = parameters.width;
  }
  classifier_ = modules->register_module(
      std::to_string(number),
      std::make_shared<Conv2d>(Conv2dOptions{.in_channels = channels, .out_channels = context.output_channels},
                               generator));
}

std::vector<std::string> DeepLabV3Plus::wanted_taps() const {
  if (parameters_.low_level_tap == parameters_.tap) return {parameters_.tap};
  return {parameters_.low_level_tap, parameters_.tap};
}

HeadResult DeepLabV3Plus::forward(const HeadRequest& request) {
  const at::Tensor early = project_.forward(request.taps.at(parameters_.low_level_tap));
  const at::Tensor late = pyramid_->forward(request.taps.at(parameters_.tap), request.run->generator());
  const at::Tensor enlarged = kernels::resize_maps(late, early.size(2), early.size(3), /*align_corners=*/false);
  at::Tensor hidden = at::cat({early, enlarged}, 1);
  for (const NormedConvolution& layer : decoder_) hidden = layer.forward(hidden);
  return {.logits_nkhw = classifier_->forward(hidden), .auxiliary_logits = {}};
}

}  // namespace seedbed::deeplab
