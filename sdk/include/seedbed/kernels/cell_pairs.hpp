#pragma once

#include <cstdint>
#include <vector>

#include <ATen/core/Tensor.h>

#include "seedbed/export.hpp"

/// Pairs of cells of a map that lie close to each other, and what affinities of such pairs are trained on: the common part
/// of AffinityNet (Ahn and Kwak, CVPR 2018) and IRN (Ahn et al., CVPR 2019).
///
/// Letters: O offsets, S sources; pair (o, s) joins the source s to the cell at its offset o.
namespace seedbed::kernels {

/// From one cell to another, in rows and columns.
struct CellOffset {
  std::int64_t dy = 0;
  std::int64_t dx = 0;
  friend bool operator==(const CellOffset&, const CellOffset&) = default;
};

/// Every pair closer than `radius` cells once: (0,1) .. (0,radius-1), then rows 1 .. radius-1 with columns from the left,
/// dy^2 + dx^2 < radius^2. 34 offsets for radius 5, 152 for 10. Throws: ContractError for a radius below 1.
SEEDBED_API std::vector<CellOffset> half_disc(std::int64_t radius);

/// The cells whose whole half disc lies inside the map, a rectangle: rows [0, rows), columns [left, left + columns).
struct SourceCells {
  std::int64_t rows = 0;
  std::int64_t left = 0;
  std::int64_t columns = 0;
};

/// Sizes are 0 where the map is too small to have any: radius rows and 2 radius - 1 columns are needed.
SEEDBED_API SourceCells sources_within(std::int64_t height, std::int64_t width, std::int64_t radius);

/// maps [N,D,h,w] -> [N,D,S] at the sources, or at `offset` from them. Keeps the graph. The map must contain them.
SEEDBED_API at::Tensor at_sources(const at::Tensor& maps_ndhw, const SourceCells& sources, CellOffset offset = {});

/// Which pairs are of what sort; a pair with a label that does not count is of none.
struct PairTargets {
  at::Tensor background_nos;  ///< [N,O,S] bool: both cells are background
  at::Tensor foreground_nos;  ///< both are of one class
  at::Tensor different_nos;   ///< both count, and differ
};

/// Labels [N,h,w] int64; those in [0, num_labels) count. Throws: ContractError for another shape or type.
SEEDBED_API PairTargets pair_targets(const at::Tensor& labels_nhw, const std::vector<CellOffset>& offsets,
                                     const SourceCells& sources, std::int64_t num_labels);

/// -log(a + 1e-5) averaged over the pairs of background and of one class, -log(1 + 1e-5 - a) over those that differ; each
/// sum over (number of pairs + 1e-5), so that it is 0 where there is none. (psa train_aff.py, irn step/train_irn.py)
struct AffinityLosses {
  at::Tensor background;
  at::Tensor foreground;
  at::Tensor different;
};

/// affinities [N,O,S] in 0..1. Keeps the graph. Throws: ContractError where the shapes differ.
SEEDBED_API AffinityLosses affinity_losses(const at::Tensor& affinities_nos, const PairTargets& targets);

/// Labels [N,H,W] of any integer type -> [N,height,width], the label at each cell's centre: floor((i + 0.5) H / height), as
/// PIL's nearest.
SEEDBED_API at::Tensor labels_at_cells(const at::Tensor& labels_nhw, std::int64_t height, std::int64_t width);

}  // namespace seedbed::kernels
