#include "peak_response_rule.hpp"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

namespace seedbed::prm {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr double kLeastExcitation = 1e-10;  // PRM, install/functions/peak_backprop.py

/// What is no variable of the function: gradients flow to its input alone.
struct Operands {
  at::Tensor weight, bias;
  ConvolutionShape shape;
};

class ExcitatoryConvolution : public torch::autograd::Function<ExcitatoryConvolution> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& input, const Operands& operands) {
    const ConvolutionShape& shape = operands.shape;
    const at::Tensor shifted = input - input.amin({1, 2, 3}, /*keepdim=*/true);
    const at::Tensor excitatory = operands.weight.relu();
    const at::Tensor excitation =
        at::conv2d(shifted, excitatory, at::Tensor(), shape.stride, shape.padding, shape.dilation, shape.groups);
    const at::Tensor share = excitation.reciprocal().masked_fill_(excitation.lt(kLeastExcitation), 0);
    context->save_for_backward({shifted, excitatory, share});
    context->saved_data["stride"] = shape.stride;
    context->saved_data["padding"] = shape.padding;
    context->saved_data["dilation"] = shape.dilation;
    context->saved_data["groups"] = shape.groups;
    return at::conv2d(input, operands.weight, operands.bias, shape.stride, shape.padding, shape.dilation, shape.groups);
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor &shifted = saved[0], &excitatory = saved[1], &share = saved[2];
    const auto list = [&](const char* name) { return context->saved_data[name].toIntVector(); };
    const auto [back, unused_weight, unused_bias] = at::convolution_backward(
        gradients[0] * share, shifted, excitatory, at::OptionalIntArrayRef(), list("stride"), list("padding"),
        list("dilation"), /*transposed=*/false, {0, 0}, context->saved_data["groups"].toInt(), {true, false, false});
    return {shifted * back, at::Tensor()};
  }
};

}  // namespace

at::Tensor PeakResponseRule::convolve(const Site& /*site*/, const at::Tensor& input_nchw, const at::Tensor& weight,
                                      const at::Tensor& bias, const ConvolutionShape& shape) {
  return ExcitatoryConvolution::apply(input_nchw,
                                      Operands{weight.detach(), bias.defined() ? bias.detach() : bias, shape});
}

at::Tensor responses_from(const at::Tensor& gradient_nchw) {
  const at::Tensor mass = gradient_nchw.sum(1).clamp_min(0);
  const at::Tensor total = mass.sum({1, 2}, /*keepdim=*/true);
  return at::where(total > 0, mass / total, at::zeros_like(mass));
}

}  // namespace seedbed::prm
