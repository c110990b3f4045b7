#include "map_pooling.hpp"

#include <ATen/ATen.h>

#include "seedbed/error.hpp"

namespace seedbed::cam {
namespace {

// Kolesnikov and Lampert, Seed, expand and constrain, ECCV 2016, equation 5: the cells by falling value, weighted q^rank.
at::Tensor rank_weighted(const at::Tensor& cells_ncm, double decay) {
  const at::Tensor ranked = std::get<0>(cells_ncm.sort(2, /*descending=*/true));
  const at::Tensor ranks = at::arange(cells_ncm.size(2), cells_ncm.options().dtype(at::kDouble));
  const at::Tensor weights = at::pow(decay, ranks);
  return ranked.matmul((weights / weights.sum()).to(ranked.scalar_type()));
}

}  // namespace

at::Tensor pool_maps(const at::Tensor& maps_nchw, const CamParameters& parameters) {
  const at::Tensor cells_ncm = maps_nchw.flatten(2);
  if (parameters.pooling == "gap") return cells_ncm.mean(2);
  if (parameters.pooling == "gmp") return cells_ncm.amax(2);
  if (parameters.pooling == "gwrp") return rank_weighted(cells_ncm, parameters.rank_decay);
  if (parameters.pooling == "top_k") {
    return std::get<0>(cells_ncm.topk(std::min(parameters.top_cells, cells_ncm.size(2)), 2)).mean(2);
  }
  if (parameters.pooling == "softmax") return (cells_ncm * (cells_ncm / parameters.temperature).softmax(2)).sum(2);
  throw ContractError("cam", "parameters are checked by the host", "a known pooling", "`" + parameters.pooling + "`");
}

}  // namespace seedbed::cam
