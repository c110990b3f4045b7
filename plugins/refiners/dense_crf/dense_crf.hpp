#pragma once

#include "dense_crf_manifest.hpp"
#include "seedbed/kernels/dense_crf.hpp"
#include "seedbed/refiner.hpp"

namespace seedbed::dense_crf {

/// Marginals of score maps, image by image on LibTorch's threads.
class DenseCrfRefiner final : public Refiner {
 public:
  explicit DenseCrfRefiner(DenseCrfParameters parameters) : parameters_(std::move(parameters)) {}

  RefineResult refine(const RefineRequest& request) override;

 private:
  at::Tensor marginals(const at::Tensor& image_hwc, const at::Tensor& planes_phw) const;

  DenseCrfParameters parameters_;
};

/// The kernels of a method's parameters.
template <typename Parameters>
kernels::DenseCrfOptions kernel_options(const Parameters& parameters) {
  return {.gauss_sigma = parameters.gauss_sigma,
          .gauss_weight = parameters.gauss_weight,
          .bilateral_xy = parameters.bilateral_xy,
          .bilateral_rgb = parameters.bilateral_rgb,
          .bilateral_weight = parameters.bilateral_weight};
}

}  // namespace seedbed::dense_crf
