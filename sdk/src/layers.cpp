#include "seedbed/layers.hpp"

#include <cmath>

#include <ATen/ATen.h>

#include "seedbed/error.hpp"

namespace seedbed {
namespace {

/// torch.nn.init.kaiming_uniform_(a = sqrt(5)), PyTorch's default of weights, written as it computes it so that equal
/// generators give equal bits.
double kaiming_uniform_bound(std::int64_t fan_in) {
  const double gain = std::sqrt(2.0 / (1.0 + std::pow(std::sqrt(5.0), 2)));
  return std::sqrt(3.0) * (gain / std::sqrt(static_cast<double>(fan_in)));
}

at::Tensor drawn(at::IntArrayRef shape, double bound, const at::Generator& generator) {
  if (!generator.defined()) {
    throw ContractError("layers", "initial values come from the context's generator", "a generator", "none");
  }
  return at::empty(shape, at::kFloat).uniform_(-bound, bound, generator);
}

at::Tensor drawn_bias(std::int64_t size, std::int64_t fan_in, const at::Generator& generator) {
  return drawn({size}, 1.0 / std::sqrt(static_cast<double>(fan_in)), generator);
}

}  // namespace

at::Tensor in_mode(const at::Tensor& tensor, ParameterMode mode) {
  return mode == ParameterMode::detached && tensor.defined() ? tensor.detach() : tensor;
}

Conv2d::Conv2d(const Conv2dOptions& given, const at::Generator& generator) : options(given) {
  const std::int64_t fan_in = options.in_channels / options.groups * options.kernel * options.kernel;
  weight = register_parameter(
      "weight", drawn({options.out_channels, options.in_channels / options.groups, options.kernel, options.kernel},
                      kaiming_uniform_bound(fan_in), generator));
  if (options.bias) bias = register_parameter("bias", drawn_bias(options.out_channels, fan_in, generator));
}

at::Tensor Conv2d::forward(const at::Tensor& input_nchw, ParameterMode mode) const {
  return at::conv2d(input_nchw, in_mode(weight, mode), in_mode(bias, mode), options.stride, options.padding,
                    options.dilation, options.groups);
}

ConvolutionShape Conv2d::shape() const {
  return {{options.stride, options.stride},
          {options.padding, options.padding},
          {options.dilation, options.dilation},
          options.groups};
}

at::Tensor convolve_at_site(const ForwardRequest& request, const Site& site, const Conv2d& layer,
                            const at::Tensor& input_nchw) {
  return run_site(request, site, input_nchw, [&](const at::Tensor& input) {
    if (!request.convolution) return layer.forward(input, request.parameters);
    return request.convolution->convolve(site, input, in_mode(layer.weight, request.parameters),
                                         in_mode(layer.bias, request.parameters), layer.shape());
  });
}

Linear::Linear(std::int64_t in_features, std::int64_t out_features, bool with_bias, const at::Generator& generator) {
  weight =
      register_parameter("weight", drawn({out_features, in_features}, kaiming_uniform_bound(in_features), generator));
  if (with_bias) bias = register_parameter("bias", drawn_bias(out_features, in_features, generator));
}

at::Tensor Linear::forward(const at::Tensor& input, ParameterMode mode) const {
  return at::linear(input, in_mode(weight, mode), in_mode(bias, mode));
}

BatchNorm2d::BatchNorm2d(std::int64_t channels, double epsilon, double momentum)
    : epsilon_(epsilon), momentum_(momentum) {
  weight = register_parameter("weight", at::ones({channels}));
  bias = register_parameter("bias", at::zeros({channels}));
  running_mean = register_buffer("running_mean", at::zeros({channels}));
  running_var = register_buffer("running_var", at::ones({channels}));
  num_batches_tracked = register_buffer("num_batches_tracked", at::zeros({}, at::kLong));
}

at::Tensor BatchNorm2d::forward(const at::Tensor& input_nchw, BatchNormMode mode, ParameterMode parameters) {
  const bool from_batch = mode != BatchNormMode::running;
  const bool tracked = mode != BatchNormMode::batch_without_update;
  if (mode == BatchNormMode::batch) num_batches_tracked.add_(1);
  return at::batch_norm(input_nchw, in_mode(weight, parameters), in_mode(bias, parameters),
                        tracked ? running_mean : at::Tensor(), tracked ? running_var : at::Tensor(), from_batch,
                        momentum_, epsilon_, at::globalContext().userEnabledCuDNN());
}

std::pair<at::Tensor, at::Tensor> BatchNorm2d::scale_and_shift() const {
  const at::Tensor scale = weight * (running_var + epsilon_).rsqrt();
  return {scale, bias - running_mean * scale};
}

GroupNorm::GroupNorm(std::int64_t groups, std::int64_t channels, double epsilon) : groups_(groups), epsilon_(epsilon) {
  weight = register_parameter("weight", at::ones({channels}));
  bias = register_parameter("bias", at::zeros({channels}));
}

at::Tensor GroupNorm::forward(const at::Tensor& input_nchw, ParameterMode mode) const {
  return at::group_norm(input_nchw, groups_, in_mode(weight, mode), in_mode(bias, mode), epsilon_);
}

LayerNorm::LayerNorm(std::int64_t width, double epsilon) : width_(width), epsilon_(epsilon) {
  weight = register_parameter("weight", at::ones({width}));
  bias = register_parameter("bias", at::zeros({width}));
}

at::Tensor LayerNorm::forward(const at::Tensor& input, ParameterMode mode) const {
  return at::layer_norm(input, {width_}, in_mode(weight, mode), in_mode(bias, mode), epsilon_);
}

Dropout::Dropout(double probability, bool whole_channels) : probability_(probability), whole_channels_(whole_channels) {
  if (probability < 0.0 || probability > 1.0) {
    throw ContractError("Dropout", "a probability is within [0,1]", "0 .. 1", "`" + std::to_string(probability) + "`");
  }
}

at::Tensor Dropout::forward(const at::Tensor& input, const at::Generator& generator) const {
  if (!is_training() || probability_ == 0.0) return input;
  if (probability_ == 1.0) return at::zeros_like(input).mul(input);
  if (!generator.defined()) {
    throw ContractError("Dropout", "dropout draws from the request's generator", "a generator", "none");
  }
  // at::dropout draws from the process-wide generator. The noise is drawn contiguous, so that the memory layout of the
  // input does not change which elements fall.
  std::vector<std::int64_t> shape = input.sizes().vec();
  if (whole_channels_) std::fill(shape.begin() + 2, shape.end(), 1);
  const double kept = 1.0 - probability_;
  return input.mul(at::empty(shape, input.options().memory_format(at::MemoryFormat::Contiguous))
                       .bernoulli_(kept, generator)
                       .div_(kept));
}

LayerScale::LayerScale(std::int64_t width, double initial_value) {
  gamma = register_parameter("gamma", at::full({width}, initial_value, at::kFloat));
}

at::Tensor LayerScale::forward(const at::Tensor& input, ParameterMode mode) const {
  return input * in_mode(gamma, mode);
}

DropPath::DropPath(double probability) : probability_(probability) {
  if (probability < 0.0 || probability >= 1.0) {
    throw ContractError("DropPath", "a probability is within [0,1)", "0 .. 1", "`" + std::to_string(probability) + "`");
  }
}

at::Tensor DropPath::forward(const at::Tensor& branch, const at::Generator& generator) const {
  if (!is_training() || probability_ == 0.0) return branch;
  if (!generator.defined()) {
    throw ContractError("DropPath", "stochastic depth draws from the request's generator", "a generator", "none");
  }
  std::vector<std::int64_t> shape(static_cast<std::size_t>(branch.dim()), 1);
  shape[0] = branch.size(0);
  const double kept = 1.0 - probability_;
  return branch * at::empty(shape, branch.options()).bernoulli_(kept, generator).div_(kept);
}

}  // namespace seedbed
