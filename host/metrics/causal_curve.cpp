#include "metrics/causal_curve.hpp"

#include <algorithm>
#include <numeric>
#include <string>

#include <ATen/ATen.h>

#include "seedbed/error.hpp"

namespace seedbed::metrics {

at::Tensor pixels_by_value(const at::Tensor& map_hw) {
  if (map_hw.dim() != 2 || !map_hw.is_floating_point())
    throw ContractError("pixels_by_value", "a map is [H,W] and floating", "[H,W]", map_hw.toString());
  return map_hw.flatten().argsort(/*stable=*/true, /*dim=*/0, /*descending=*/true);
}

at::Tensor causal_images(const at::Tensor& image_chw, const at::Tensor& baseline_chw, const at::Tensor& order,
                         std::int64_t pixels_per_step, CausalMetric metric) {
  const bool fits = image_chw.dim() == 3 && image_chw.sizes() == baseline_chw.sizes() && order.dim() == 1 &&
                    order.numel() == image_chw.size(1) * image_chw.size(2) && pixels_per_step >= 1;
  if (!fits)
    throw ContractError("causal_images", "image and baseline have one size, and each pixel a place in the order",
                        image_chw.toString(), baseline_chw.toString());
  const at::Tensor& first = metric == CausalMetric::deletion ? image_chw : baseline_chw;
  const at::Tensor last = (metric == CausalMetric::deletion ? baseline_chw : image_chw).flatten(1);
  at::Tensor shown = first.flatten(1).clone();
  std::vector<at::Tensor> images{shown.clone()};
  for (std::int64_t begin = 0; begin < order.numel(); begin += pixels_per_step) {
    const at::Tensor moved = order.narrow(0, begin, std::min(pixels_per_step, order.numel() - begin));
    shown.index_copy_(1, moved, last.index_select(1, moved));
    images.push_back(shown.clone());
  }
  return at::stack(images).reshape({-1, image_chw.size(0), image_chw.size(1), image_chw.size(2)});
}

double causal_area(const std::vector<double>& scores) {
  if (scores.size() < 2)
    throw ContractError("causal_area", "a curve has both ends", "at least two scores", std::to_string(scores.size()));
  const double inner = std::accumulate(scores.begin() + 1, scores.end() - 1, 0.0);
  return (inner + (scores.front() + scores.back()) / 2) / static_cast<double>(scores.size() - 1);
}

}  // namespace seedbed::metrics
