#include "side_layer.hpp"

#include <ATen/ATen.h>

#include "seedbed/kernels/resize.hpp"

namespace seedbed::boundary {

SideLayer::SideLayer(std::int64_t in_channels, std::int64_t out_channels, const at::Generator& generator) {
  conv_ = register_module(
      "conv", std::make_shared<Conv2d>(
                  Conv2dOptions{.in_channels = in_channels, .out_channels = out_channels, .bias = false}, generator));
  norm_ = register_module("norm", std::make_shared<BatchNorm2d>(out_channels));
  refine_ = register_module(
      "refine", std::make_shared<Conv2d>(
                    Conv2dOptions{.in_channels = out_channels, .out_channels = out_channels, .kernel = 3}, generator));
}

at::Tensor SideLayer::forward(const at::Tensor& tap_ndhw, std::int64_t height, std::int64_t width) const {
  const BatchNormMode mode = is_training() ? BatchNormMode::batch : BatchNormMode::running;
  const at::Tensor cells = norm_->forward(conv_->forward(tap_ndhw), mode).relu();
  const at::Tensor pixels = kernels::resize_maps(cells, height, width, /*align_corners=*/false);
  return refine_->forward(at::reflection_pad2d(pixels, {1, 1, 1, 1}));
}

}  // namespace seedbed::boundary
