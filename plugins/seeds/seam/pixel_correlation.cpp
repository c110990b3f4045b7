#include "pixel_correlation.hpp"

#include <algorithm>
#include <vector>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

namespace seedbed::seam {
namespace {

constexpr double kEpsilon = 1e-5;  // SEAM, network/resnet38_SEAM.py
constexpr std::int64_t kColumnsAtOnce = 2048;

// Columns of the weights: how much each cell (row) gives to each of some cells. [N,M,columns].
at::Tensor weights_of(const at::Tensor& directions_ndm, const at::Tensor& some_ndm) {
  const at::Tensor similar = at::bmm(directions_ndm.transpose(1, 2), some_ndm).relu();
  return similar / (similar.sum(1, /*keepdim=*/true) + kEpsilon);
}

}  // namespace

at::Tensor spreadable(const at::Tensor& maps_nkhw) {
  const c10::NoGradGuard no_grad;
  const at::Tensor evidence = maps_nkhw.relu();
  const at::Tensor normalised = (evidence - kEpsilon).relu() / (evidence.amax({2, 3}, /*keepdim=*/true) + kEpsilon);
  const at::Tensor foreground = normalised.slice(1, 1);
  const at::Tensor largest = foreground.amax(1, /*keepdim=*/true);
  return at::cat({1 - largest, foreground.masked_fill(foreground.lt(largest), 0)}, 1);
}

at::Tensor correlate(const at::Tensor& maps_nkhw, const at::Tensor& features_ndhw) {
  const at::Tensor cells_nkm = maps_nkhw.flatten(2), features_ndm = features_ndhw.flatten(2);
  const at::Tensor directions = features_ndm / (features_ndm.norm(2, 1, /*keepdim=*/true) + kEpsilon);
  const std::int64_t num_cells = cells_nkm.size(2);
  const std::int64_t step = c10::GradMode::is_enabled() ? num_cells : kColumnsAtOnce;
  std::vector<at::Tensor> spread;
  for (std::int64_t first = 0; first < num_cells; first += step) {
    const at::Tensor some = directions.narrow(2, first, std::min(step, num_cells - first));
    spread.push_back(at::bmm(cells_nkm, weights_of(directions, some)));
  }
  return at::cat(spread, 2).view(maps_nkhw.sizes());
}

}  // namespace seedbed::seam
