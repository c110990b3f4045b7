#include "saliency_gate.hpp"

#include <string>

#include <ATen/ATen.h>

#include "seedbed/error.hpp"
#include "seedbed/kernels/resize.hpp"

namespace seedbed::saliency_gate {
namespace {

constexpr double kLevels = 255.0;

// [N,1,H,W] in 0..1.
const at::Tensor& saliency_of(const RefineRequest& request) {
  const auto found = request.side_inputs.find("saliency");
  if (found != request.side_inputs.end()) return found->second;
  throw ContractError("host", "a refiner gets the side inputs that it declares", "`saliency`", "none");
}

// Grey levels are whole numbers; those in 0..1 are not.
at::Tensor is_salient(const at::Tensor& saliency_n1hw, double level) {
  return (saliency_n1hw * kLevels).round().gt(level);
}

// What `word` makes of the labels where `where` holds.
at::Tensor replaced(const at::Tensor& labels_nhw, const at::Tensor& where_nhw, const std::string& word) {
  if (word == "keep") return labels_nhw;
  const std::int64_t label = word == "undecided" ? kUndecidedLabel : word == "ignore" ? kIgnoreLabel : kBackgroundLabel;
  return labels_nhw.masked_fill(where_nhw, label);
}

at::Tensor holds_class(const at::Tensor& labels_nhw) {
  return labels_nhw.ne(kBackgroundLabel).logical_and(labels_nhw.lt(kUndecidedLabel));
}

}  // namespace

RefineResult SaliencyGate::refine(const RefineRequest& request) {
  const at::Tensor& saliency_n1hw = saliency_of(request);
  const std::int64_t height = request.images_nhwc.size(1), width = request.images_nhwc.size(2);
  const at::Tensor planes_nphw = kernels::resize_maps(request.maps.scores_nphw, height, width, /*align_corners=*/false);
  const at::Tensor gate_n1hw =
      (parameters_.soft ? saliency_n1hw : is_salient(saliency_n1hw, parameters_.salient)).to(planes_nphw.options());
  RefineResult result{.maps = request.maps, .labels = {}};
  if (request.maps.has_background()) {
    const at::Tensor background_n1hw = at::maximum(planes_nphw.slice(1, 0, 1), 1.0 - gate_n1hw);
    result.maps.scores_nphw = at::cat({background_n1hw, planes_nphw.slice(1, 1) * gate_n1hw}, 1);
  } else {
    result.maps.scores_nphw = planes_nphw * gate_n1hw;
  }
  result.maps.value = ValueKind::evidence;
  const Area whole{0, 0, static_cast<double>(height), static_cast<double>(width)};
  result.maps.covered.assign(static_cast<std::size_t>(request.images_nhwc.size(0)), whole);
  return result;
}

RefineResult SaliencyGateLabels::refine(const RefineRequest& request) {
  const at::Tensor& before_nhw = request.labels.labels_nhw;
  const at::Tensor salient_nhw =
      is_salient(saliency_of(request), parameters_.salient).squeeze(1).to(before_nhw.device());
  at::Tensor labels_nhw =
      replaced(before_nhw, holds_class(before_nhw).logical_and(salient_nhw.logical_not()), parameters_.object_outside);
  labels_nhw =
      replaced(labels_nhw, before_nhw.eq(kBackgroundLabel).logical_and(salient_nhw), parameters_.background_inside);
  const at::Tensor share_n = holds_class(labels_nhw).to(at::kDouble).mean({1, 2});
  labels_nhw = labels_nhw.masked_fill(share_n.lt(parameters_.min_object_share).view({-1, 1, 1}), kIgnoreLabel);
  RefineResult result;
  result.labels.labels_nhw = labels_nhw;
  const at::Tensor& confidence_nhw = request.labels.confidence_nhw;
  if (confidence_nhw.defined()) {
    result.labels.confidence_nhw = confidence_nhw.masked_fill(labels_nhw.ne(before_nhw), 0);
  }
  return result;
}

}  // namespace seedbed::saliency_gate
