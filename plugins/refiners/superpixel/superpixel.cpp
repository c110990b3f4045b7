#include "superpixel.hpp"

#include <ATen/ATen.h>

#include "region_pooling.hpp"
#include "seedbed/kernels/resize.hpp"

namespace seedbed::superpixel {
namespace {

// The planes of the only image [P,H,W], on the processor.
at::Tensor planes_at_image(const RefineRequest& request) {
  return kernels::resize_maps(request.maps.scores_nphw, request.images_nhwc.size(1), request.images_nhwc.size(2),
                              /*align_corners=*/false)[0]
      .cpu();
}

}  // namespace

RefineResult Superpixel::refine(const RefineRequest& request) {
  const RegionMap regions = segmented(request.images_nhwc[0], options_);
  RefineResult result{.maps = request.maps, .labels = {}};
  result.maps.scores_nphw =
      region_means(planes_at_image(request), regions).unsqueeze(0).to(request.maps.scores_nphw.device());
  result.maps.covered = {{0, 0, static_cast<double>(regions.height), static_cast<double>(regions.width)}};
  return result;
}

RefineResult SuperpixelVote::refine(const RefineRequest& request) {
  const RegionMap regions = segmented(request.images_nhwc[0], options_);
  const at::Tensor labels_hw = region_votes(planes_at_image(request), request.maps.planes, regions, margin_);
  RefineResult result;
  result.labels.labels_nhw = labels_hw.unsqueeze(0).to(request.maps.scores_nphw.device());
  return result;
}

RefineResult SuperpixelMajority::refine(const RefineRequest& request) {
  const at::Tensor& before_nhw = request.labels.labels_nhw;
  const RegionMap regions = segmented(request.images_nhwc[0], options_);
  RefineResult result;
  result.labels.labels_nhw = region_majority(before_nhw[0], regions).unsqueeze(0).to(before_nhw.device());
  const at::Tensor& confidence_nhw = request.labels.confidence_nhw;
  if (confidence_nhw.defined()) {
    result.labels.confidence_nhw = confidence_nhw.masked_fill(result.labels.labels_nhw.ne(before_nhw), 0);
  }
  return result;
}

}  // namespace seedbed::superpixel
