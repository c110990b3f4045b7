#pragma once

#include <cstdint>

#include <ATen/core/Tensor.h>

#include "seedbed/export.hpp"

/// Pairs of cells of a label grid: what an affinity of all pairs [N,L,L] is taught (L = h w cells in rows).
///
/// Threads: [any-thread].
namespace seedbed::kernels {

/// Which pairs there are.
struct AffinityPairs {
  std::int64_t radius = -1;  ///< cells further apart than this in rows or columns are no pair; below 0: all are pairs
  bool with_itself = true;   ///< whether a cell and itself are a pair (AFA, ExCEL; not in ToCo)
};

/// [N,h,w] int64 labels -> [N,L,L] int64: 1 for a pair of equal labels (two of background too), 0 for a pair of different
/// ones, 255 where either is 254 or 255 or there is no pair. Windows are square (AFA: radius 8).
SEEDBED_API at::Tensor affinity_targets(const at::Tensor& labels_nhw, const AffinityPairs& pairs);

/// 1/2 sum_equal (1 - A) / (n_equal + 1) + 1/2 sum_different A / (n_different + 1), counted over the whole batch (AFA,
/// Ru et al., CVPR 2022, equation 5, with the counts of its code; ExCEL's diversity loss is the same). `affinity_nll`:
/// [N,L,L] in [0,1]; `targets_nll`: of affinity_targets. Gradient: kept. 0 with a graph where there is no pair.
SEEDBED_API at::Tensor affinity_loss(const at::Tensor& affinity_nll, const at::Tensor& targets_nll);

}  // namespace seedbed::kernels
