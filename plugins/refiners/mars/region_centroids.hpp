#pragma once

#include <cstdint>

#include <ATen/core/Tensor.h>

namespace seedbed::mars {

struct ClusterOptions {
  std::int64_t foreground_clusters = 2;
  std::int64_t background_clusters = 2;
  bool unit_features = true;
};

/// Centroids of one image's regions as rows [M,1+D] float32: the label first, then the mean of the features (as they are) of a
/// cluster of cells. Cells take the label under their centre; labels of no cell, 254 and 255 have no centroid, and a region of
/// fewer cells than clusters has one a cell.
///
/// `features_dhw` [D,h,w] float32, `labels_hw` [H,W] whole numbers over the same area. Clusters are OpenCV's k-means with
/// k-means++ (10 iterations, best of 3), its generator seeded with a constant and put back: equal calls give equal results.
/// Threads: [any-thread].
at::Tensor region_centroids(const at::Tensor& features_dhw, const at::Tensor& labels_hw, const ClusterOptions& options);

}  // namespace seedbed::mars
