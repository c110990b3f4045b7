#pragma once

#include <cstdint>

#include <ATen/core/Tensor.h>

#include "region_map.hpp"

namespace seedbed::superpixel {

/// Defaults: Achanta et al., SLIC Superpixels Compared to State-of-the-Art Superpixel Methods, TPAMI 2012 (section 3; its
/// compactness is 10, its iterations are 10).
struct SlicOptions {
  std::int64_t num_segments = 500;  ///< about so many come out
  double compactness = 10;          ///< weight of distance against colour (in Lab units a grid step)
  std::int64_t iterations = 10;
};

/// Simple linear iterative clustering: k-means of (Lab colour, place) around a grid of starts, each cluster looking no further
/// than a grid step; fragments smaller than a quarter of a grid cell then join a neighbour, so that every region is connected.
/// `image_hwc` [H,W,3] uint8 RGB. Threads: [any-thread]. Cost: linear in pixels.
RegionMap slic(const at::Tensor& image_hwc, const SlicOptions& options);

}  // namespace seedbed::superpixel
