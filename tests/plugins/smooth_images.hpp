#pragma once

#include <cstdint>

#include <ATen/ATen.h>

namespace seedbed::testing {

/// Images of smooth colour patches, no two alike: [N,3,H,W] float32 in about -1..1.
inline at::Tensor smooth_images(std::int64_t n, std::int64_t height, std::int64_t width) {
  const at::Tensor y = at::arange(height, at::kFloat).view({1, 1, height, 1}) / 7.0;
  const at::Tensor x = at::arange(width, at::kFloat).view({1, 1, 1, width}) / 5.0;
  const at::Tensor phase = at::arange(n * 3, at::kFloat).view({n, 3, 1, 1});
  return (y + phase).sin() * (x + 0.7 * phase).cos();
}

/// The same as [N,H,W,3] uint8.
inline at::Tensor smooth_images_raw(std::int64_t n, std::int64_t height, std::int64_t width) {
  return ((smooth_images(n, height, width) + 1) * 127.0).to(at::kByte).permute({0, 2, 3, 1}).contiguous();
}

}  // namespace seedbed::testing
