#include "large_fov.hpp"

#include <ATen/ATen.h>

#include "seedbed/error.hpp"
#include "seedbed/map_tap.hpp"

namespace seedbed::large_fov {

LargeFov::LargeFov(const LargeFovParameters& parameters, const ModelContext& context) : parameters_(parameters) {
  if (parameters_.second_kernel == 2) {
    throw UserError("second_kernel", "the second convolution of `large_fov` cannot have side `2`", "1 or 3");
  }
  const auto convolution = [&](std::int64_t in, std::int64_t out, std::int64_t kernel) {
    const std::int64_t dilation = kernel == 1 ? 1 : parameters_.dilation;
    return std::make_shared<Conv2d>(Conv2dOptions{.in_channels = in,
                                                  .out_channels = out,
                                                  .kernel = kernel,
                                                  .padding = kernel == 1 ? 0 : dilation,
                                                  .dilation = dilation,
                                                  .bias = parameters_.bias},
                                    context.run->generator());
  };
  const std::int64_t width = parameters_.width;
  conv6_ =
      register_module("conv6", convolution(find_map_tap(*context.backbone, parameters_.tap, "tap").channels, width, 3));
  conv7_ = register_module("conv7", convolution(width, width, parameters_.second_kernel));
  conv8_ = register_module("conv8", convolution(width, context.output_channels, 1));
  dropout_ = register_module("dropout", std::make_shared<Dropout>(parameters_.dropout, /*whole_channels=*/false));
}

HeadResult LargeFov::forward(const HeadRequest& request) {
  const at::Generator generator = request.run->generator();
  at::Tensor hidden = request.taps.at(parameters_.tap);
  for (const auto& layer : {conv6_, conv7_}) hidden = dropout_->forward(at::relu(layer->forward(hidden)), generator);
  return {.logits_nkhw = conv8_->forward(hidden), .auxiliary_logits = {}};
}

}  // namespace seedbed::large_fov
