#pragma once

#include <cstdint>
#include <vector>

#include <ATen/core/Tensor.h>

#include "seedbed/export.hpp"

namespace seedbed::kernels {

/// Settings of the pixel-adaptive filters. PAMR (1-stage-wseg) is the ancestor, PAR (AFA, ToCo) squares the colour
/// term and adds a distance term.
struct PixelAdaptiveOptions {
  std::vector<std::int64_t> dilations{1, 2, 4, 8, 12, 24};
  std::int64_t iterations = 10;
  bool par = false;               ///< false = PAMR
  double colour_weight = 0.1;     ///< PAMR 0.1, PAR 0.3: the deviation's factor in the denominator
  double distance_weight = 0.01;  ///< PAR only: factor of the distance softmax
  bool renormalise = false;       ///< PAR only: divide the weights by their sum (1.01) so planes keep their scale
};

/// The released settings of PAMR (visinf/1-stage-wseg) and PAR (rulixiang/afa, ToCo).
SEEDBED_API PixelAdaptiveOptions pamr_options();
SEEDBED_API PixelAdaptiveOptions par_options();

/// Refines planes by image similarity without materialising neighbour copies.
///
/// images_nchw [N,D,H,W] float32 of any range; planes_nphw [N,P,H,W] float32 (already at image size).
/// Ensures: [N,P,H,W] float32, the same bits for any number of threads.
/// Throws: ContractError for shapes that do not agree. Threads: runs on LibTorch's pool; [any-thread]. Gradient: none.
/// Cost: two copies of the planes and one weight tensor [8 * dilations, H, W], one image at a time. Runs on the CPU.
SEEDBED_API at::Tensor pixel_adaptive_refine(const at::Tensor& images_nchw, const at::Tensor& planes_nphw,
                                             const PixelAdaptiveOptions& options);

}  // namespace seedbed::kernels
