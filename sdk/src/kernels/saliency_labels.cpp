#include "seedbed/kernels/saliency_labels.hpp"

#include <algorithm>
#include <string>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "seedbed/error.hpp"
#include "seedbed/types.hpp"

namespace seedbed::kernels {
namespace {

void require_fitting(const at::Tensor& scores_phw, const std::vector<std::int64_t>& planes,
                     const at::Tensor& saliency_hw) {
  const auto fail = [](const char* promise, const std::string& expected, const std::string& found) {
    throw ContractError("saliency_labels", promise, expected, found);
  };
  if (scores_phw.dim() != 3 || scores_phw.size(0) != static_cast<std::int64_t>(planes.size())) {
    fail("each plane has its label", std::to_string(planes.size()) + " planes", c10::str(scores_phw.sizes()));
  }
  if (std::ranges::find(planes, kBackgroundLabel) != planes.end()) {
    fail("the background comes from the saliency", "classes alone", "a background plane");
  }
  if (saliency_hw.scalar_type() != at::kByte || saliency_hw.sizes() != scores_phw.sizes().slice(1)) {
    fail("saliency is [H,W] uint8 of the maps' size", c10::str(scores_phw.sizes().slice(1)),
         c10::str(saliency_hw.sizes()) + " " + c10::toString(saliency_hw.scalar_type()));
  }
}

}  // namespace

at::Tensor saliency_labels(const at::Tensor& scores_phw, const std::vector<std::int64_t>& planes,
                           const at::Tensor& saliency_hw, const SaliencyLabelOptions& options) {
  const c10::NoGradGuard no_grad;
  require_fitting(scores_phw, planes, saliency_hw);
  const at::Tensor salient_hw = saliency_hw.gt(options.saliency_threshold);
  const at::Tensor scores = scores_phw.masked_fill(scores_phw.lt(options.object_threshold), 0);
  const at::Tensor background = salient_hw.logical_not().to(scores.scalar_type()).unsqueeze(0);
  const at::Tensor all_khw = at::cat({background, scores});

  std::vector<std::int64_t> names{kBackgroundLabel};
  names.insert(names.end(), planes.begin(), planes.end());
  const at::Tensor label_of_plane = at::tensor(names, at::kLong).to(at::kByte).to(scores.device());
  const at::Tensor labels_hw =
      label_of_plane.index_select(0, all_khw.argmax(0).flatten()).view(salient_hw.sizes());

  at::Tensor ignored_hw = all_khw.gt(options.conflict_threshold).sum(0).ge(options.conflict_count);
  if (options.ignore_salient_background) {
    ignored_hw = ignored_hw.logical_or(salient_hw.logical_and(labels_hw.eq(kBackgroundLabel)));
  }
  return labels_hw.masked_fill(ignored_hw, kIgnoreLabel);
}

}  // namespace seedbed::kernels
