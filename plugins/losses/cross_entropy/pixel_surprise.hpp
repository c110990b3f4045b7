#pragma once

#include <ATen/core/Tensor.h>

#include "seedbed/labelled_pixels.hpp"

namespace seedbed::cross_entropy {

/// -log of the softmax probability of each pixel's label, [N,H,W]; 0 at pixels that do not count. `smoothing` (e) spreads
/// that share of a label over all K of them: (1 - e) (-log p_label) + e / K sum_k (-log p_k), as PyTorch does.
/// `class_weights` [K] weigh each -log p_k; undefined: all 1. Gradient: kept.
at::Tensor pixel_surprise(const LabelledPixels& pixels, double smoothing = 0.0, const at::Tensor& class_weights = {});

}  // namespace seedbed::cross_entropy
