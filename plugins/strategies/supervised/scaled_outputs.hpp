#pragma once

#include <functional>
#include <vector>

#include <ATen/core/Tensor.h>

#include "seedbed/types.hpp"

namespace seedbed::supervised {

/// What a network makes of images at one scale.
struct ScaledOutput {
  at::Tensor logits_nkhw;
  std::vector<at::Tensor> auxiliary_logits;
  NamedTensors taps;
};

/// Network on images [N,3,H,W], at whatever scale.
using Network = std::function<ScaledOutput(const at::Tensor& images_nchw)>;

/// The outputs at scale 1 and then at each of `further_scales`, one network for all of them. Images are scaled as PyTorch's
/// `interpolate(scale_factor=s)` does (bilinear; sides rounded down, positions by the factor itself), which is
/// deeplab-pytorch's way.
///
/// Gradient: follows the caller's mode. Throws: UserError for a scale that leaves no pixel.
std::vector<ScaledOutput> outputs_at_scales(const Network& network, const at::Tensor& images_nchw,
                                            const std::vector<double>& further_scales);

/// The largest logit of all outputs, element by element, at the resolution of the first: the others are resized to it
/// (bilinear, half-pixel centres). Requires: at least one output. Gradient: follows the caller's mode.
at::Tensor largest_logits(const std::vector<ScaledOutput>& outputs);

}  // namespace seedbed::supervised
