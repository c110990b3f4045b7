#include "seedbed/normed_convolution.hpp"

#include <utility>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "seedbed/error.hpp"
#include "seedbed/kernels/channel_affine.hpp"

namespace seedbed {
namespace {

std::shared_ptr<Conv2d> without_bias(Conv2dOptions options, const at::Generator& generator) {
  options.bias = false;
  return std::make_shared<Conv2d>(options, generator);
}

void require_statistics(const at::Tensor& map_nchw) {
  if (map_nchw.numel() > map_nchw.size(1)) return;
  throw UserError("train.batch_size",
                  "a batch norm behind this layer sees one value a channel in training, and one value has no deviation",
                  "a `batch_size` of 2 or more, with `drop_last = true` so that the last batch has it too");
}

}  // namespace

at::Tensor normed_and_rectified(BatchNorm2d& norm, at::Tensor map_nchw) {
  if (norm.is_training()) {
    require_statistics(map_nchw);
    return norm.forward(map_nchw, BatchNormMode::batch).relu_();
  }
  if (c10::GradMode::is_enabled() || !kernels::takes_channel_affine(map_nchw)) {
    return norm.forward(map_nchw, BatchNormMode::running).relu_();
  }
  const auto [scale, shift] = norm.scale_and_shift();
  kernels::channel_affine(map_nchw, scale, shift, {}, Activation::relu, map_nchw);
  return map_nchw;
}

NormedConvolution::NormedConvolution(Conv2dOptions options, const at::Generator& generator)
    : convolution_(without_bias(options, generator)), norm_(std::make_shared<BatchNorm2d>(options.out_channels)) {}

NormedConvolution& NormedConvolution::register_in(NamedModules& owner, std::string convolution, std::string norm) {
  owner.register_module(std::move(convolution), convolution_);
  owner.register_module(std::move(norm), norm_);
  return *this;
}

at::Tensor NormedConvolution::forward(const at::Tensor& input_nchw) const {
  return normed_and_rectified(*norm_, convolution_->forward(input_nchw));
}

}  // namespace seedbed
