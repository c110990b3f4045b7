#pragma once

#include <cstdint>

#include <ATen/core/Tensor.h>

#include "region_map.hpp"

namespace seedbed::superpixel {

struct GraphSegmentationOptions {
  double scale = 100;          ///< k of the paper, in grey levels times pixels: larger gives larger regions
  double sigma = 0.5;          ///< of the Gaussian that comes first, in pixels; 0 = none
  std::int64_t min_size = 30;  ///< smaller regions join the neighbour that they differ least from
};

/// Felzenszwalb and Huttenlocher, Efficient Graph-Based Image Segmentation, IJCV 2004: neighbouring pixels (8) are joined in
/// the order of their colour distance d, as long as d does not exceed what is inside either region plus k / its size.
/// `image_hwc` [H,W,3] uint8 RGB. Threads: [any-thread]. Cost: the edges are sorted.
RegionMap graph_segmentation(const at::Tensor& image_hwc, const GraphSegmentationOptions& options);

}  // namespace seedbed::superpixel
