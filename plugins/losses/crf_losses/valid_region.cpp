#include "valid_region.hpp"

#include <ATen/ATen.h>

namespace seedbed::crf_losses {

at::Tensor valid_region(const ValidBoxes& valid, std::int64_t height, std::int64_t width) {
  if (!valid.boxes_n4.defined()) return {};
  const at::Tensor edges = valid.boxes_n4.unsqueeze(2);  // [N,4,1]: top, left, bottom, right
  const auto within = [&](std::int64_t size, std::int64_t first, std::int64_t last) {
    const at::Tensor places = at::arange(size, edges.options());
    return places.ge(edges.select(1, first)).logical_and(places.lt(edges.select(1, last)));
  };
  return within(height, 0, 2).unsqueeze(2).logical_and(within(width, 1, 3).unsqueeze(1)).to(at::kFloat);
}

}  // namespace seedbed::crf_losses
