#pragma once

#include <vector>

#include <ATen/core/Tensor.h>

#include "boundary_paths.hpp"

/// IRN's training (Ahn et al., CVPR 2019, section 4; release: step/train_irn.py).
namespace seedbed::random_walk_irn {

/// The published loss is (positive + negative) / 2 + (displacement_foreground + displacement_background) / 2.
struct IrnLosses {
  at::Tensor positive;  ///< half of the background pairs' loss and half of the same-class pairs'
  at::Tensor negative;
  at::Tensor displacement_foreground;  ///< undefined without a displacement
  at::Tensor displacement_background;
};

/// boundary_nhw [N,h,w] in 0..1; displacement_n2hw [N,2,h,w] (rows, columns), may be undefined; targets of the paths' pairs.
/// A displacement differs by the pair's offset within one object, and not at all within the background.
/// Keeps the graph. Throws: ContractError where the targets are of other pairs.
IrnLosses irn_losses(const at::Tensor& boundary_nhw, const at::Tensor& displacement_n2hw,
                     const std::vector<BoundaryPath>& paths, const kernels::SourceCells& sources,
                     const kernels::PairTargets& targets);

}  // namespace seedbed::random_walk_irn
