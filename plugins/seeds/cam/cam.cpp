#include "cam.hpp"

#include <ATen/ATen.h>

#include "seedbed/kernels/resize.hpp"

namespace seedbed::cam {

Cam::Cam(const CamParameters& parameters, const ModelContext& context)
    : ClassifierGenerator(ClassifierOptions::from(parameters, parameters.tap), context),
      map_bias_(parameters.map_bias),
      maps_of_input_size_(parameters.map_size == "input") {}

SeedResult Cam::generate(const SeedRequest& request) {
  const std::int64_t height_px = request.images_nchw.size(2), width_px = request.images_nchw.size(3);
  const at::Tensor features = tap_of(request.images_nchw, request.run);
  const at::Tensor maps = class_maps(cells_of(classifier_tap(), features, height_px, width_px), map_bias_);
  SeedResult result;
  result.maps.scores_nphw =
      (maps_of_input_size_ ? kernels::resize_maps(maps, height_px, width_px, /*align_corners=*/true) : maps)
          .contiguous();
  result.maps.planes = foreground_planes(num_classes());
  for (const View& view : request.views) result.maps.covered.push_back(view.covered);
  if (request.logits_wanted) result.logits_nc = logits_of(features, height_px, width_px, *request.run);
  return result;
}

}  // namespace seedbed::cam
