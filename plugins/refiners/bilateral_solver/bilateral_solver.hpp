#pragma once

#include "bilateral_solver_manifest.hpp"
#include "seedbed/refiner.hpp"

namespace seedbed::bilateral_solver {

/// Solves image by image on LibTorch's threads.
class BilateralSolver final : public Refiner {
 public:
  explicit BilateralSolver(BilateralSolverParameters parameters) : parameters_(std::move(parameters)) {}

  RefineResult refine(const RefineRequest& request) override;

 private:
  at::Tensor solved(const at::Tensor& image_hwc, const at::Tensor& planes_phw, ValueKind value) const;

  BilateralSolverParameters parameters_;
};

}  // namespace seedbed::bilateral_solver
