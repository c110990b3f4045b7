#include "argmax.hpp"

#include <tuple>

#include <ATen/ATen.h>

#include "seedbed/kernels/resize.hpp"

namespace seedbed::argmax {

RefineResult Argmax::refine(const RefineRequest& request) {
  const at::Tensor planes_nphw = kernels::resize_maps(request.maps.scores_nphw, request.images_nhwc.size(1),
                                                      request.images_nhwc.size(2), /*align_corners=*/false);
  const auto [highest_nhw, place_nhw] = planes_nphw.max(1);
  const at::Tensor names = at::tensor(request.maps.planes, at::kLong).to(place_nhw.device(), at::kByte);
  RefineResult result;
  result.labels.labels_nhw = names.index_select(0, place_nhw.flatten()).view_as(place_nhw);
  if (parameters_.confidence) result.labels.confidence_nhw = highest_nhw.clamp(0, 1);
  return result;
}

}  // namespace seedbed::argmax
