#include "debiasing.hpp"

#include <cmath>
#include <tuple>

#include <ATen/ATen.h>

namespace seedbed::mars {
namespace {

constexpr double kShortest = 1e-12;  // of a vector that is divided by its length

at::Tensor unit(const at::Tensor& vectors, std::int64_t axis) {
  return vectors / vectors.norm(2, {axis}, /*keepdim=*/true).clamp_min(kShortest);
}

}  // namespace

at::Tensor background_distances(const at::Tensor& foreground_md, const at::Tensor& background_bd) {
  // The mean of cosines is the cosine's other factor, averaged: no M x B matrix is needed.
  const at::Tensor mean_d = unit(background_bd.to(at::kDouble), 1).mean(0);
  return ((1.0 - unit(foreground_md.to(at::kDouble), 1).matmul(mean_d)) / 2.0).to(at::kFloat);
}

DebiasedCentroids debiased_centroids(const at::Tensor& foreground_md, const at::Tensor& class_m,
                                     const at::Tensor& distances_m, std::int64_t num_classes, double alpha) {
  DebiasedCentroids result;
  result.centroids_cd = at::zeros({num_classes, foreground_md.size(1)});
  result.num_used_c = at::zeros({num_classes}, at::kLong);
  for (std::int64_t c = 0; c < num_classes; ++c) {
    const at::Tensor own = class_m.eq(c + 1).nonzero().flatten();
    if (own.numel() == 0) continue;
    const auto num_used = static_cast<std::int64_t>(std::ceil(alpha * static_cast<double>(own.numel())));
    const at::Tensor order =
        std::get<1>(distances_m.index_select(0, own).sort(/*stable=*/true, /*dim=*/0, /*descending=*/true));
    const at::Tensor used = own.index_select(0, order.slice(0, 0, num_used));
    result.centroids_cd[c].copy_(foreground_md.index_select(0, used).mean(0));
    result.num_used_c[c] = num_used;
  }
  return result;
}

at::Tensor similarity(const at::Tensor& features_dhw, const at::Tensor& centroids_pd) {
  const at::Tensor cosines_phw =
      at::einsum("pd,dhw->phw", {unit(centroids_pd, 1), unit(features_dhw.to(at::kFloat), 0)});
  return cosines_phw.amax(0).clamp(0, 1);
}

}  // namespace seedbed::mars
