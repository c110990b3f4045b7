#pragma once

#include <cstdint>

#include <ATen/core/Tensor.h>

namespace seedbed::grabcut {

/// Mean squared RGB distance of neighbouring pixels over the four directions to the right and below; 0 for an image of one
/// colour. OpenCV's smoothness weight is 50 exp(-d^2 / (2 x this)).
double neighbour_contrast(const at::Tensor& image_hwc);

/// Whether a cut can be made: each side holds a pixel for each of its mixture's five components, and the image has more
/// than one colour.
bool can_cut(const at::Tensor& image_hwc, const at::Tensor& trimap_hw);

/// What cv::grabCut makes of a trimap [H,W] uint8 on an image [H,W,3] uint8 RGB: a trimap again. The mixtures start from
/// random clusters, so OpenCV's generator is seeded with a constant first and put back afterwards: equal calls give equal
/// results.
/// Requires: can_cut. Threads: [any-thread], OpenCV's generator belongs to a thread.
at::Tensor seeded_cut(const at::Tensor& image_hwc, const at::Tensor& trimap_hw, std::int64_t iterations);

}  // namespace seedbed::grabcut
