#include "dense_crf_labels.hpp"

#include <vector>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/core/GradMode.h>

#include "dense_crf.hpp"
#include "seedbed/kernels/dense_crf.hpp"

namespace seedbed::dense_crf {

struct DenseCrfLabelsRefiner::Relabelled {
  at::Tensor labels_hw;      // uint8
  at::Tensor confidence_hw;  // float32
};

namespace {

/// The background and every label of the map, in order; pixels in doubt have none.
at::Tensor labels_in(const at::Tensor& labels_hw) {
  at::Tensor found = at::zeros({kUndecidedLabel}, at::kBool);
  found[kBackgroundLabel].fill_(true);
  found.index_fill_(0, labels_hw.masked_select(labels_hw.lt(kUndecidedLabel)).to(at::kLong), true);
  return found.nonzero().flatten();
}

/// Each pixel's place among `names`; -1 where it is in doubt.
at::Tensor places_of(const at::Tensor& labels_hw, const at::Tensor& names) {
  at::Tensor places = at::full({kIgnoreLabel + 1}, -1, at::kLong);
  places.index_copy_(0, names, at::arange(names.numel(), at::kLong));
  return places.index_select(0, labels_hw.flatten().to(at::kLong)).view(labels_hw.sizes());
}

}  // namespace

DenseCrfLabelsRefiner::Relabelled DenseCrfLabelsRefiner::relabel(const at::Tensor& image_hwc,
                                                                 const at::Tensor& labels_hw) const {
  const at::Tensor names = labels_in(labels_hw);
  const at::Tensor unary =
      kernels::label_unary(places_of(labels_hw, names), names.numel(), parameters_.label_confidence);
  const kernels::DenseCrf crf(image_hwc, kernel_options(parameters_));
  const auto [confidence_hw, place_hw] = crf.infer(unary, parameters_.iterations).max(0);
  Relabelled result{names.to(at::kByte).index_select(0, place_hw.flatten()).view(labels_hw.sizes()), confidence_hw};
  if (parameters_.fill) return result;
  const at::Tensor doubtful = labels_hw.ge(kUndecidedLabel);
  result.labels_hw = at::where(doubtful, labels_hw, result.labels_hw);
  result.confidence_hw = result.confidence_hw.masked_fill(doubtful, 0);
  return result;
}

RefineResult DenseCrfLabelsRefiner::refine(const RefineRequest& request) {
  const at::Tensor images_nhwc = request.images_nhwc.cpu();
  const at::Tensor labels_nhw = request.labels.labels_nhw.cpu();
  std::vector<Relabelled> relabelled(static_cast<std::size_t>(labels_nhw.size(0)));
  at::parallel_for(0, labels_nhw.size(0), 1, [&](std::int64_t begin, std::int64_t end) {
    const c10::NoGradGuard no_grad;  // of this thread
    for (std::int64_t i = begin; i < end; ++i) {
      relabelled[static_cast<std::size_t>(i)] = relabel(images_nhwc[i], labels_nhw[i]);
    }
  });
  std::vector<at::Tensor> labels, confidences;
  for (Relabelled& each : relabelled) {
    labels.push_back(std::move(each.labels_hw));
    confidences.push_back(std::move(each.confidence_hw));
  }
  const c10::Device device = request.labels.labels_nhw.device();
  RefineResult result;
  result.labels.labels_nhw = at::stack(labels).to(device);
  if (parameters_.confidence) result.labels.confidence_nhw = at::stack(confidences).to(device);
  return result;
}

}  // namespace seedbed::dense_crf
