#include "grabcut.hpp"

#include <vector>

#include <ATen/ATen.h>
#include <opencv2/imgproc.hpp>

#include "seedbed/error.hpp"
#include "seedbed/kernels/resize.hpp"
#include "seeded_cut.hpp"

namespace seedbed::grabcut {
namespace {

// The connected regions (8 neighbours) of a mask [H,W] bool, one mask each.
std::vector<at::Tensor> connected_regions(const at::Tensor& mask_hw) {
  const at::Tensor bytes = mask_hw.to(at::kByte).contiguous();
  at::Tensor numbers = at::empty(mask_hw.sizes(), at::kInt);
  const auto rows = static_cast<int>(mask_hw.size(0)), columns = static_cast<int>(mask_hw.size(1));
  cv::Mat regions(rows, columns, CV_32SC1, numbers.data_ptr<std::int32_t>());
  const int count = cv::connectedComponents(cv::Mat(rows, columns, CV_8UC1, bytes.data_ptr<std::uint8_t>()), regions);
  std::vector<at::Tensor> masks;
  for (int i = 1; i < count; ++i) masks.push_back(numbers.eq(i));
  return masks;
}

}  // namespace

Grabcut::Grabcut(const GrabcutParameters& parameters) : parameters_(parameters) {
  if (parameters_.sure >= parameters_.probable && parameters_.probable >= parameters_.possible) return;
  throw UserError("grabcut",
                  "The thresholds are not in order: `sure` = `" + std::to_string(parameters_.sure) +
                      "`, `probable` = `" + std::to_string(parameters_.probable) + "`, `possible` = `" +
                      std::to_string(parameters_.possible) + "`.",
                  "sure >= probable >= possible");
}

// The cut, unless it cannot be made or runs away.
at::Tensor Grabcut::cut_or_stay(const at::Tensor& image_hwc, const at::Tensor& trimap_hw) const {
  const at::Tensor first = is_object(trimap_hw);
  if (!can_cut(image_hwc, trimap_hw)) return first;
  const at::Tensor cut = is_object(seeded_cut(image_hwc, trimap_hw, parameters_.iterations));
  const auto area = cut.sum().item<double>(), first_area = first.sum().item<double>();
  const double factor = parameters_.max_area_change;
  return area > first_area * factor || area * factor < first_area ? first : cut;
}

at::Tensor Grabcut::mask_of(const at::Tensor& image_hwc, const at::Tensor& trimap_hw) const {
  if (!parameters_.per_component) return cut_or_stay(image_hwc, trimap_hw);
  at::Tensor mask = at::zeros(trimap_hw.sizes(), at::kBool);
  const at::Tensor objects = is_object(trimap_hw);
  for (const at::Tensor& region : connected_regions(objects)) {
    // While one object is cut, the others of its class count as what surrounds it.
    const at::Tensor others = objects.logical_and(region.logical_not());
    mask = mask.logical_or(cut_or_stay(image_hwc, trimap_hw.masked_fill(others, kSureBackground)));
  }
  return mask;
}

RefineResult Grabcut::refine(const RefineRequest& request) {
  const at::Tensor image_hwc = request.images_nhwc[0].cpu();
  const at::Tensor evidence_phw =
      kernels::resize_maps(request.maps.scores_nphw, image_hwc.size(0), image_hwc.size(1), /*align_corners=*/false)[0]
          .cpu()
          .clamp(0, 1);
  const at::Tensor trimaps_phw =
      class_trimaps(evidence_phw, {parameters_.sure, parameters_.probable, parameters_.possible});
  at::Tensor labels_hw = at::zeros({image_hwc.size(0), image_hwc.size(1)}, at::kByte);
  at::Tensor highest_hw = at::full_like(evidence_phw[0], -1.0);
  for (std::int64_t p = 0; p < evidence_phw.size(0); ++p) {
    request.run->check_cancelled();
    const at::Tensor mask_hw = mask_of(image_hwc, trimaps_phw[p]);
    const at::Tensor won_hw = mask_hw.logical_and(evidence_phw[p].gt(highest_hw));
    labels_hw.masked_fill_(won_hw, request.maps.planes[static_cast<std::size_t>(p)]);
    highest_hw = at::where(won_hw, evidence_phw[p], highest_hw);
  }
  RefineResult result;
  result.labels.labels_nhw = labels_hw.unsqueeze(0).to(request.maps.scores_nphw.device());
  return result;
}

}  // namespace seedbed::grabcut
