#include "bilateral_solver.hpp"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/core/GradMode.h>

#include "seedbed/kernels/bilateral_solver.hpp"
#include "seedbed/kernels/resize.hpp"

namespace seedbed::bilateral_solver {

at::Tensor BilateralSolver::solved(const at::Tensor& image_hwc, const at::Tensor& planes_phw, ValueKind value) const {
  const at::Tensor confidence_hw = parameters_.confidence == "highest"
                                       ? planes_phw.amax(0).clamp(0, 1)
                                       : at::ones({image_hwc.size(0), image_hwc.size(1)}, at::kFloat);
  const kernels::BilateralSolverOptions options{.sigma_xy = parameters_.sigma_xy,
                                                .sigma_luma = parameters_.sigma_luma,
                                                .sigma_chroma = parameters_.sigma_chroma,
                                                .smoothness = parameters_.smoothness,
                                                .iterations = parameters_.iterations};
  const at::Tensor result = kernels::bilateral_solve(image_hwc, planes_phw, confidence_hw, options);
  // The exact solution sums to one as the planes do; that of a few steps nearly so.
  return value == ValueKind::probability ? result / result.sum(0, true) : result;
}

RefineResult BilateralSolver::refine(const RefineRequest& request) {
  const std::int64_t n = request.images_nhwc.size(0);
  const std::int64_t height = request.images_nhwc.size(1), width = request.images_nhwc.size(2);
  const at::Tensor maps_nphw = request.maps.scores_nphw.cpu(), images_nhwc = request.images_nhwc.cpu();
  at::Tensor solved_nphw = at::empty({n, maps_nphw.size(1), height, width}, maps_nphw.options());
  at::parallel_for(0, n, 1, [&](std::int64_t begin, std::int64_t end) {
    const c10::NoGradGuard no_grad;  // of this thread
    for (std::int64_t i = begin; i < end; ++i) {
      const at::Tensor planes_phw = kernels::resize_maps(maps_nphw[i], height, width, /*align_corners=*/false);
      solved_nphw[i].copy_(solved(images_nhwc[i], planes_phw, request.maps.value));
    }
  });
  RefineResult result{.maps = request.maps, .labels = {}};
  result.maps.scores_nphw = solved_nphw.to(request.maps.scores_nphw.device());
  const Area whole{0, 0, static_cast<double>(height), static_cast<double>(width)};
  result.maps.covered.assign(static_cast<std::size_t>(n), whole);
  return result;
}

}  // namespace seedbed::bilateral_solver
