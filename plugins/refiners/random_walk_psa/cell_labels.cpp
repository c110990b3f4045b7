#include "cell_labels.hpp"

#include <ATen/ATen.h>

#include "seedbed/types.hpp"

namespace seedbed::random_walk_psa {
namespace {

// Averages below it are of cells that lie outside of the image (voc12/data.py).
constexpr double kLeastScore = 1e-5;

}  // namespace

at::Tensor averaged_over_cells(const at::Tensor& scores_nkhw, std::int64_t height, std::int64_t width) {
  return at::adaptive_avg_pool2d(scores_nkhw, {height, width});
}

at::Tensor labels_of_averages(const at::Tensor& low_nkhw, const at::Tensor& high_nkhw) {
  const auto [low_score, low] = low_nkhw.max(1);
  const auto [high_score, high] = high_nkhw.max(1);
  return low.masked_fill(low.eq(kBackgroundLabel), kIgnoreLabel)
      .masked_fill(high.eq(kBackgroundLabel), kBackgroundLabel)
      .masked_fill(at::maximum(low_score, high_score).lt(kLeastScore), kIgnoreLabel);
}

}  // namespace seedbed::random_walk_psa
