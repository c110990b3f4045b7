#include "seam_losses.hpp"

#include <algorithm>

#include <ATen/ATen.h>

#include "seedbed/kernels/resize.hpp"

namespace seedbed::seam {
namespace {

constexpr double kEpsilon = 1e-5;  // SEAM, tool/visualization.py

// [N,C] -> [N,K,1,1], the background always present.
at::Tensor presence(const at::Tensor& present_nc, const at::Tensor& like) {
  const at::Tensor background = at::ones({present_nc.size(0), 1}, present_nc.options());
  return at::cat({background, present_nc}, 1).to(like.scalar_type()).unsqueeze(2).unsqueeze(3);
}

std::int64_t share(std::int64_t count, double fraction) {
  return std::max<std::int64_t>(1, static_cast<std::int64_t>(static_cast<double>(count) * fraction));
}

at::Tensor largest_class_alone(const at::Tensor& maps_nkhw) {
  const at::Tensor foreground = maps_nkhw.slice(1, 1), largest = foreground.amax(1, /*keepdim=*/true);
  return at::cat({1 - largest, foreground.masked_fill(foreground.ne(largest), 0)}, 1);
}

}  // namespace

at::Tensor classification_loss(const at::Tensor& maps_nkhw, const at::Tensor& present_nc) {
  const at::Tensor logits_nc = maps_nkhw.slice(1, 1).mean({2, 3});
  return at::binary_cross_entropy_with_logits(logits_nc, present_nc.to(logits_nc.scalar_type()));
}

at::Tensor minimum_pooling_loss(const at::Tensor& maps_nkhw, const at::Tensor& present_nc, double fraction) {
  const at::Tensor present = (maps_nkhw * presence(present_nc, maps_nkhw)).slice(1, 1);
  const at::Tensor pixels_nm = present.amax(1).flatten(1);
  const std::int64_t lowest = share(pixels_nm.size(1), fraction);
  return std::get<0>(pixels_nm.topk(lowest, 1, /*largest=*/false)).relu().mean();
}

at::Tensor comparable(const at::Tensor& maps_nkhw, const at::Tensor& present_nc, std::int64_t height,
                      std::int64_t width) {
  const at::Tensor evidence = maps_nkhw.relu();
  const at::Tensor low = evidence.amin({2, 3}, /*keepdim=*/true), high = evidence.amax({2, 3}, /*keepdim=*/true);
  const at::Tensor normalised = (evidence - low - kEpsilon).relu() / (high - low + kEpsilon);
  return kernels::resize_maps(normalised, height, width, /*align_corners=*/true) * presence(present_nc, maps_nkhw);
}

at::Tensor equivariance_loss(const at::Tensor& first_nkhw, const at::Tensor& second_nkhw) {
  return (first_nkhw.slice(1, 1) - second_nkhw.slice(1, 1)).abs().mean();
}

at::Tensor cross_refinement_loss(const at::Tensor& refined_nkhw, const at::Tensor& target_nkhw, double fraction) {
  const at::Tensor distance_nm = (largest_class_alone(target_nkhw.detach()) - refined_nkhw).abs().flatten(1);
  return std::get<0>(distance_nm.topk(share(distance_nm.size(1), fraction), 1)).mean();
}

}  // namespace seedbed::seam
