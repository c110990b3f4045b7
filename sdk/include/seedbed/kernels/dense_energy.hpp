#pragma once

#include <ATen/core/Tensor.h>

#include "seedbed/export.hpp"

namespace seedbed::kernels {

/// The dense CRF's energy as a loss (Tang et al., On regularized losses for weakly-supervised CNN segmentation, ECCV 2018;
/// code meng-tang/rloss), with the gate that ToCo and AFA put before it. Defaults: ToCo's.
struct DenseEnergy {
  double weight = 1e-7;     ///< of the sum over all pairs of pixels; rloss without a gate: 2e-9
  double sigma_rgb = 15.0;  ///< in grey levels, 0..255
  double sigma_xy = 100.0;  ///< in pixels of the input; multiplied by `scale` as the maps are
  double scale = 0.5;       ///< of the maps that are compared, in (0,1]
  bool gate = true;         ///< weaken pixels that are sure of a class
  bool exact = false;       ///< sum over all pairs, O(L^2), in place of the permutohedral lattice, which is a tenth off
};

struct DenseEnergyInput {
  at::Tensor images_nhwc;         ///< [N,H,W,3], 0..255, any type
  at::Tensor probabilities_nkhw;  ///< [N,K,H,W] float32, with the graph
  at::Tensor region_nhw;          ///< [N,H,W], 1 within the valid box, 0 in the padding; undefined = 1 everywhere
  at::Tensor labels_nhw;          ///< [N,H,W]; the gate is open where they are 254 or 255; undefined = nowhere
};

/// -(weight / N) sum over images, classes and pixels of S R A with A = gate * (bilateral filter of S R, not normalised).
/// S, region R and labels are taken at `scale` (S bilinear, the rest nearest). The gate is max(R - max_k S, 0), 1 at open
/// labels. Negative, and growing with the area.
/// Gradient: the published one, -2 (weight / N) A R: gate and filter are held fast.
/// Throws: ContractError where sizes differ. Threads: [any-thread]; images of a batch run beside each other.
SEEDBED_API at::Tensor dense_energy(const DenseEnergyInput& input, const DenseEnergy& energy);

}  // namespace seedbed::kernels
