#include "par.hpp"

#include <algorithm>

#include <ATen/ATen.h>

#include "seedbed/kernels/pixel_adaptive.hpp"
#include "seedbed/kernels/resize.hpp"

namespace seedbed::par {
namespace {

at::Tensor resized(const at::Tensor& maps, std::int64_t height, std::int64_t width, bool align_corners) {
  if (maps.size(2) == height && maps.size(3) == width) return maps;
  return kernels::resize_maps(maps, height, width, align_corners);
}

}  // namespace

RefineResult Par::refine(const RefineRequest& request) {
  // The kernel does not depend on the colours' range but through its guard against division by zero (1e-8).
  const at::Tensor images_nchw = request.images_nhwc.permute({0, 3, 1, 2}).to(at::kFloat).contiguous() / 255.0;
  const std::int64_t image_height = images_nchw.size(2), image_width = images_nchw.size(3);
  const bool at_maps = parameters_.resize == "image_to_maps";
  const at::Tensor& maps = request.maps.scores_nphw;
  const std::int64_t height = at_maps ? maps.size(2) : std::max<std::int64_t>(1, image_height / parameters_.downscale);
  const std::int64_t width = at_maps ? maps.size(3) : std::max<std::int64_t>(1, image_width / parameters_.downscale);

  kernels::PixelAdaptiveOptions options = kernels::par_options();
  options.dilations = parameters_.dilations;
  options.iterations = parameters_.iterations;
  options.colour_weight = parameters_.colour_weight;
  options.distance_weight = parameters_.distance_weight;
  options.renormalise = parameters_.renormalise;

  // AFA and ToCo shrink the image with half-pixel centres, WeCLIP with its corners aligned.
  const at::Tensor images = resized(images_nchw, height, width, at_maps && parameters_.align_corners);
  RefineResult result{.maps = request.maps, .labels = {}};
  result.maps.scores_nphw =
      kernels::pixel_adaptive_refine(images, resized(maps, height, width, parameters_.align_corners), options);
  result.maps.value = ValueKind::evidence;  // planes are averaged one by one, and as released they grow
  const Area whole{0, 0, static_cast<double>(image_height), static_cast<double>(image_width)};
  result.maps.covered.assign(static_cast<std::size_t>(images_nchw.size(0)), whole);
  return result;
}

}  // namespace seedbed::par
