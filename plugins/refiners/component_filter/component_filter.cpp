#include "component_filter.hpp"

#include <algorithm>
#include <cmath>
#include <string>

#include <ATen/ATen.h>

#include "components.hpp"

namespace seedbed::component_filter {
namespace {

std::int64_t label_of(const std::string& becomes) {
  if (becomes == "undecided") return kUndecidedLabel;
  return becomes == "ignore" ? kIgnoreLabel : kBackgroundLabel;
}

}  // namespace

RefineResult ComponentFilter::refine(const RefineRequest& request) {
  const at::Tensor labels_hw = request.labels.labels_nhw[0].cpu();
  const auto of_image =
      static_cast<std::int64_t>(std::ceil(parameters_.min_share * static_cast<double>(labels_hw.numel())));
  const ComponentRule rule{.min_area_px = std::max(parameters_.min_area, of_image),
                           .largest_only = parameters_.remaining == "largest",
                           .neighbours = parameters_.diagonal ? Neighbours::sides_and_corners : Neighbours::sides,
                           .replacement = label_of(parameters_.becomes)};
  RefineResult result;
  const at::Tensor filtered_hw = filter_components(labels_hw, rule);
  result.labels.labels_nhw = filtered_hw.unsqueeze(0).to(request.labels.labels_nhw.device());
  const at::Tensor& confidence_nhw = request.labels.confidence_nhw;
  if (confidence_nhw.defined()) {
    result.labels.confidence_nhw =
        confidence_nhw.masked_fill(result.labels.labels_nhw.ne(request.labels.labels_nhw), 0);
  }
  return result;
}

}  // namespace seedbed::component_filter
