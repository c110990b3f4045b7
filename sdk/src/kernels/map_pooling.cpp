#include "seedbed/kernels/map_pooling.hpp"

#include <algorithm>
#include <tuple>

#include <ATen/ATen.h>

#include "seedbed/error.hpp"

namespace seedbed::kernels {
namespace {

at::Tensor rank_weighted(const at::Tensor& cells_ncm, double decay) {
  const at::Tensor ranked = std::get<0>(cells_ncm.sort(2, /*descending=*/true));
  const at::Tensor ranks = at::arange(cells_ncm.size(2), cells_ncm.options().dtype(at::kDouble));
  const at::Tensor weights = at::pow(decay, ranks);
  return ranked.matmul((weights / weights.sum()).to(ranked.scalar_type()));
}

}  // namespace

at::Tensor pool_maps(const at::Tensor& maps_nchw, const MapPooling& pooling) {
  const at::Tensor cells_ncm = maps_nchw.flatten(2);
  if (pooling.rule == "gap") return cells_ncm.mean(2);
  if (pooling.rule == "gmp") return cells_ncm.amax(2);
  if (pooling.rule == "gwrp") return rank_weighted(cells_ncm, pooling.rank_decay);
  if (pooling.rule == "top_k") {
    return std::get<0>(cells_ncm.topk(std::min(pooling.top_cells, cells_ncm.size(2)), 2)).mean(2);
  }
  if (pooling.rule == "softmax") return (cells_ncm * (cells_ncm / pooling.temperature).softmax(2)).sum(2);
  throw UserError("pooling", "maps are not pooled by this rule: `" + pooling.rule + "`",
                  "`gap`, `gmp`, `gwrp`, `top_k` or `softmax`");
}

}  // namespace seedbed::kernels
