#pragma once

#include <cstdint>

#include <ATen/core/Tensor.h>

#include "seedbed/export.hpp"

namespace seedbed::kernels {

enum class ResizeFilter { nearest, bilinear, bicubic };

/// Resizes 8-bit images exactly as PIL's Image.resize does (antialiased when shrinking; bicubic a = -0.5; rounding
/// after each pass, weights with 22 fractional bits). [H,W,channels] or [H,W] uint8 -> [height,width,...] uint8.
/// Columns first, then rows, as up to Pillow 12; Pillow 13 turns that round where the height shrinks and the width grows.
/// Nearest takes floor((x + 0.5) * scale). Throws: UserError for an empty size. Threads: [any-thread].
SEEDBED_API at::Tensor resize_image_as_pil(const at::Tensor& image_hwc, std::int64_t height_px, std::int64_t width_px,
                                           ResizeFilter filter);

/// Bilinear resize of float maps [..., h, w] (2 or more dims), half-pixel centres or aligned corners, no antialias:
/// torch.nn.functional.interpolate(mode="bilinear"). Keeps the graph.
SEEDBED_API at::Tensor resize_maps(const at::Tensor& maps, std::int64_t height, std::int64_t width, bool align_corners);

/// round half to even, as Python's round and NumPy's rint: sizes of scaled images.
SEEDBED_API std::int64_t round_half_even(double value);

}  // namespace seedbed::kernels
