#pragma once

#include <cstdint>

#include <ATen/core/Tensor.h>

#include "seedbed/export.hpp"

namespace seedbed::kernels {

/// Defaults: the authors' example (poolio/bilateral_solver), in the same units.
struct BilateralSolverOptions {
  double sigma_xy = 16.0;        ///< pixels
  double sigma_luma = 16.0;      ///< steps of 0..255
  double sigma_chroma = 16.0;    ///< steps of 0..255
  double smoothness = 128.0;     ///< lambda: smoothness against faith to the target
  std::int64_t iterations = 25;  ///< at most, of conjugate gradients
  double tolerance = 1e-5;       ///< they end where every plane's residual is below this share of its right side
};

/// The fast bilateral solver (Barron and Poole, ECCV 2016): planes that are smooth where the image is, and like the target
/// where the confidence is high. Solved at the points of the permutohedral lattice (their section 6 names it beside the grid)
/// over (x, y, Y, U, V):
///   (lambda (D_m - D_n B D_n) + diag(S c)) z = S (c t),   result = S^T z,
/// S the barycentric splat, B twice a point for every direction plus its two neighbours there, D_n made bistochastic in ten
/// steps, Jacobi preconditioner (diagonal at least 1e-5), start S(c t) / S(c).
///
/// image_hwc [H,W,3] uint8 or float32 in 0..255; targets_phw [P,H,W] float32; confidence_hw [H,W] float32 >= 0.
/// Ensures: [P,H,W] float32 within the range of each plane's target (as the exact solution is). Where no pixel has
/// confidence, planes stay as they are.
/// Throws: ContractError for other tensors, sigmas or smoothness not above 0, negative iterations. UserError as the
/// lattice's. Threads: [any-thread]; on the caller's thread. Gradient: none.
/// Cost: the lattice (permutohedral.hpp), 64 bytes a pixel and 320 a lattice point.
SEEDBED_API at::Tensor bilateral_solve(const at::Tensor& image_hwc, const at::Tensor& targets_phw,
                                       const at::Tensor& confidence_hw, const BilateralSolverOptions& options);

}  // namespace seedbed::kernels
