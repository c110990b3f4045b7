#include "seedbed/convolution_unit.hpp"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "fused_convolution.hpp"

namespace seedbed {
namespace {

bool is_observed(const ForwardRequest& request) { return request.rewriter || request.convolution; }

at::Tensor activated(Activation activation, const at::Tensor& input) {
  switch (activation) {
    case Activation::relu:
      return at::relu(input);
    case Activation::relu6:
      return at::hardtanh(input, 0, 6);
    case Activation::none:
      break;
  }
  return input;
}

at::Tensor activated_in_place(Activation activation, at::Tensor input) {
  switch (activation) {
    case Activation::relu:
      return input.relu_();
    case Activation::relu6:
      return at::hardtanh_(input, 0, 6);
    case Activation::none:
      break;
  }
  return input;
}

// Whether a norm is one scale and one shift a channel that may be applied on the way.
bool folds(const ForwardRequest& request, const at::Tensor& input) {
  return !is_observed(request) && request.batch_norm == BatchNormMode::running && !c10::GradMode::is_enabled() &&
         kernels::takes_channel_affine(input);
}

void fold(const BatchNorm2d& norm, const at::Tensor& input, const at::Tensor& addend, Activation activation,
          const at::Tensor& output) {
  const auto [scale, shift] = norm.scale_and_shift();
  kernels::channel_affine(input, scale, shift, addend, activation, output);
}

}  // namespace

void lay_out_channels_last(Module& module) {
  const c10::NoGradGuard no_grad;
  for (const auto& [name, parameter] : module.named_parameters()) {
    if (parameter.dim() == 4) parameter.set_data(parameter.contiguous(at::MemoryFormat::ChannelsLast));
  }
}

ForwardRequest with_channels_last(const ForwardRequest& request) {
  ForwardRequest inner = request;
  if (!request.from) inner.images_nchw = request.images_nchw.contiguous(at::MemoryFormat::ChannelsLast);
  return inner;
}

at::Tensor activated_at_site(const ForwardRequest& request, const Site& site, Activation activation,
                             const at::Tensor& input) {
  if (!is_observed(request)) return activated_in_place(activation, input);
  return run_site(request, site, input, [&](const at::Tensor& value) { return activated(activation, value); });
}

at::Tensor normed_at_sites(const ForwardRequest& request, const Site& norm_site, BatchNorm2d& norm,
                           const Site& activation_site, Activation activation, const at::Tensor& input) {
  if (folds(request, input)) {
    const at::Tensor output = at::empty_like(input);
    fold(norm, input, {}, activation, output);
    return output;
  }
  const at::Tensor normed = run_site(request, norm_site, input, [&](const at::Tensor& value) {
    return norm.forward(value, request.batch_norm, request.parameters);
  });
  return activated_at_site(request, activation_site, activation, normed);
}

ConvolutionUnit::ConvolutionUnit(std::shared_ptr<Conv2d> convolution, std::shared_ptr<BatchNorm2d> norm,
                                 Activation activation, StepChain& chain, const Names& names)
    : convolution_(std::move(convolution)), norm_(std::move(norm)), activation_(activation) {
  const std::int64_t channels = convolution_->options.out_channels;
  convolution_site_ = &chain.add_site(names.convolution, "convolution", channels);
  if (norm_) norm_site_ = &chain.add_site(names.norm, "norm", channels);
  if (activation_ != Activation::none) activation_site_ = &chain.add_site(names.activation, "activation", channels);
}

at::Tensor ConvolutionUnit::forward(const at::Tensor& input_nchw, const ForwardRequest& request,
                                    const at::Tensor& addend_nchw) const {
  if (!norm_ && !addend_nchw.defined() && !is_observed(request) && takes_fused_convolution(input_nchw)) {
    return fused_convolution(input_nchw, *convolution_, activation_);
  }
  at::Tensor value = convolve_at_site(request, *convolution_site_, *convolution_, input_nchw);
  if (norm_ && folds(request, value)) {
    fold(*norm_, value, addend_nchw, activation_, value);
    return value;
  }
  if (norm_) {
    value = run_site(request, *norm_site_, value, [&](const at::Tensor& inner) {
      return norm_->forward(inner, request.batch_norm, request.parameters);
    });
  }
  if (addend_nchw.defined()) value = is_observed(request) ? value + addend_nchw : value.add_(addend_nchw);
  return activation_site_ ? activated_at_site(request, *activation_site_, activation_, value) : value;
}

}  // namespace seedbed
