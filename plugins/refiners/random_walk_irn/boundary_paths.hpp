#pragma once

#include <vector>

#include <ATen/core/Tensor.h>

#include "seedbed/kernels/cell_pairs.hpp"

/// Affinity of two cells in IRN (Ahn et al., CVPR 2019, section 4.1): what the strongest boundary between them leaves.
namespace seedbed::random_walk_irn {

/// A pair of cells and what lies between: every cell of the rectangle that the two span whose distance from their line is
/// below 1, both ends included. The farthest from the first cell (in rows plus columns) comes first.
struct BoundaryPath {
  kernels::CellOffset offset;
  std::vector<kernels::CellOffset> cells;
};

/// The paths of kernels::half_disc(radius), short ones (in cells) first.
std::vector<BoundaryPath> boundary_paths(std::int64_t radius);

std::vector<kernels::CellOffset> offsets_of(const std::vector<BoundaryPath>& paths);

/// Affinities of all pairs in one map: boundary_hw [h,w] float32 in 0..1 -> [O,h,w] float32 on the same device, 1 - the
/// highest boundary of the path from (y, x), 0 where it leaves the map. Gradient: none. Threads: LibTorch's pool.
at::Tensor affinities_between(const at::Tensor& boundary_hw, const std::vector<BoundaryPath>& paths);

/// Affinities of the pairs of some sources: boundary_nhw [N,h,w] -> [N,O,S]. A gradient flows to the highest cell of each
/// path, the first of equals. Cost: one int64 for each pair, kept for the backward pass.
at::Tensor affinities_at_sources(const at::Tensor& boundary_nhw, const std::vector<BoundaryPath>& paths,
                                 const kernels::SourceCells& sources);

}  // namespace seedbed::random_walk_irn
