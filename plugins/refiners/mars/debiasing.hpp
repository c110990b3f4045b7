#pragma once

#include <cstdint>

#include <ATen/core/Tensor.h>

namespace seedbed::mars {

/// How far each foreground centroid [M,D] is from all background centroids [B,D]: the mean of (1 - cosine) / 2, [M].
at::Tensor background_distances(const at::Tensor& foreground_md, const at::Tensor& background_bd);

/// What a class looks like where it does not look like background.
struct DebiasedCentroids {
  at::Tensor centroids_cd;  ///< [C,D] float32, 0 for classes that nobody showed
  at::Tensor num_used_c;    ///< [C] int64: centroids that each is the mean of
};

/// Of a class's n centroids the ceil(alpha n) with the largest distances, the first of equal ones, averaged (method notes
/// 10.2). `class_m` [M] int64 holds classes 1..C.
DebiasedCentroids debiased_centroids(const at::Tensor& foreground_md, const at::Tensor& class_m,
                                     const at::Tensor& distances_m, std::int64_t num_classes, double alpha);

/// ReLU of the highest cosine between the cells of `features_dhw` and the centroids [P,D] of an image's classes, [h,w] in 0..1
/// (method notes 10.3; the maximum over classes is deliberate).
at::Tensor similarity(const at::Tensor& features_dhw, const at::Tensor& centroids_pd);

}  // namespace seedbed::mars
