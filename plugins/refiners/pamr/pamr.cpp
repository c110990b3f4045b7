#include "pamr.hpp"

#include <ATen/ATen.h>

#include "seedbed/kernels/pixel_adaptive.hpp"
#include "seedbed/kernels/resize.hpp"

namespace seedbed::pamr {

RefineResult Pamr::refine(const RefineRequest& request) {
  const std::int64_t height = request.images_nhwc.size(1);
  const std::int64_t width = request.images_nhwc.size(2);
  // The released code feeds colours in 0..1. Only its guard against division by zero (1e-8) knows the difference.
  const at::Tensor images_nchw = request.images_nhwc.permute({0, 3, 1, 2}).to(at::kFloat).contiguous() / 255.0;
  const at::Tensor planes_nphw =
      kernels::resize_maps(request.maps.scores_nphw, height, width, parameters_.align_corners);

  kernels::PixelAdaptiveOptions options = kernels::pamr_options();
  options.dilations = parameters_.dilations;
  options.iterations = parameters_.iterations;
  options.colour_weight = parameters_.colour_weight;

  RefineResult result{.maps = request.maps, .labels = {}};
  result.maps.scores_nphw = kernels::pixel_adaptive_refine(images_nchw, planes_nphw, options);
  const Area whole{0, 0, static_cast<double>(height), static_cast<double>(width)};
  result.maps.covered.assign(static_cast<std::size_t>(request.images_nhwc.size(0)), whole);
  return result;
}

}  // namespace seedbed::pamr
