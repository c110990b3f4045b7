#include "dense_crf.hpp"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/core/GradMode.h>

#include "seedbed/kernels/resize.hpp"

namespace seedbed::dense_crf {
namespace {

/// Scores as probabilities, or as near to that as the recipe has them.
at::Tensor likelihoods(const at::Tensor& planes_phw, const std::string& unary) {
  return unary == "softmax" ? planes_phw.softmax(0) : planes_phw;
}

/// Places of the planes that stay: the background's, and those that exceed `prune` somewhere.
at::Tensor kept_planes(const at::Tensor& likelihoods_phw, double prune) {
  at::Tensor kept = likelihoods_phw.flatten(1).amax(1).gt(prune);
  kept[0].fill_(true);
  return kept.nonzero().flatten();
}

at::Tensor energies(const at::Tensor& likelihoods_phw, const DenseCrfParameters& parameters) {
  if (parameters.unary == "negated") return likelihoods_phw.neg();
  if (parameters.unary == "argmax") {
    return kernels::label_unary(likelihoods_phw.argmax(0), likelihoods_phw.size(0), parameters.label_confidence);
  }
  return kernels::probability_unary(likelihoods_phw);
}

}  // namespace

at::Tensor DenseCrfRefiner::marginals(const at::Tensor& image_hwc, const at::Tensor& planes_phw) const {
  const at::Tensor scores = likelihoods(planes_phw, parameters_.unary);
  const bool prunes = parameters_.prune > 0.0 && parameters_.unary != "negated";
  const at::Tensor places = prunes ? kept_planes(scores, parameters_.prune) : at::arange(scores.size(0), at::kLong);

  kernels::DenseCrfOptions options = kernel_options(parameters_);
  options.filter = parameters_.filter == "exact" ? kernels::CrfFilter::exact : kernels::CrfFilter::lattice;
  const bool wrapped = parameters_.colours == "bgr_mean_wrapped";
  const kernels::DenseCrf crf(wrapped ? kernels::bgr_mean_wrapped(image_hwc) : image_hwc, options);
  const at::Tensor found = crf.infer(energies(scores.index_select(0, places), parameters_), parameters_.iterations);
  return places.numel() == scores.size(0) ? found : at::zeros_like(scores).index_copy_(0, places, found);
}

RefineResult DenseCrfRefiner::refine(const RefineRequest& request) {
  const std::int64_t n = request.images_nhwc.size(0);
  const std::int64_t height = request.images_nhwc.size(1), width = request.images_nhwc.size(2);
  const at::Tensor maps_nphw = request.maps.scores_nphw.cpu(), images_nhwc = request.images_nhwc.cpu();
  at::Tensor marginals_nphw = at::empty({n, maps_nphw.size(1), height, width}, maps_nphw.options());
  at::parallel_for(0, n, 1, [&](std::int64_t begin, std::int64_t end) {
    const c10::NoGradGuard no_grad;  // of this thread
    for (std::int64_t i = begin; i < end; ++i) {
      // Resized by itself: a batch rounds otherwise, and ten steps of a CRF that wavers between two labels magnify that.
      const at::Tensor planes_phw = kernels::resize_maps(maps_nphw[i], height, width, /*align_corners=*/false);
      marginals_nphw[i].copy_(marginals(images_nhwc[i], planes_phw));
    }
  });
  RefineResult result{.maps = request.maps, .labels = {}};
  result.maps.scores_nphw = marginals_nphw.to(request.maps.scores_nphw.device());
  result.maps.value = ValueKind::probability;
  const Area whole{0, 0, static_cast<double>(height), static_cast<double>(width)};
  result.maps.covered.assign(static_cast<std::size_t>(n), whole);
  return result;
}

}  // namespace seedbed::dense_crf
