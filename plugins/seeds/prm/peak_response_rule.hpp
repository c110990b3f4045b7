#pragma once

#include <ATen/core/Tensor.h>

#include "seedbed/backbone.hpp"

namespace seedbed::prm {

/// Convolutions that compute what they always do, and hand back a share of each output to the inputs that excited it
/// (Zhou et al., CVPR 2018, section 3.2; PRM, install/functions/peak_backprop.py).
///
/// With m the least value of an image's input, W+ the weights above zero and z = conv(input - m, W+), a gradient g becomes
/// (input - m) * conv^T(g / z, W+), and nothing where z is below 1e-10. Padding follows the shift. Only inputs get a
/// gradient.
class PeakResponseRule final : public ConvolutionRule {
 public:
  at::Tensor convolve(const Site& site, const at::Tensor& input_nchw, const at::Tensor& weight, const at::Tensor& bias,
                      const ConvolutionShape& shape) override;
};

/// The share of each pixel in one peak, from the gradient of the images: summed over colours, not below zero, divided by its
/// total (zero everywhere where there is none). [N,3,H,W] -> [N,H,W].
at::Tensor responses_from(const at::Tensor& gradient_nchw);

}  // namespace seedbed::prm
