#include "gated_crf_loss.hpp"

#include <algorithm>

#include <ATen/ATen.h>

#include "seedbed/error.hpp"
#include "seedbed/kernels/label_resize.hpp"
#include "valid_region.hpp"

namespace seedbed::crf_losses {

GatedCrfLoss::GatedCrfLoss(const GatedCrfParameters& parameters)
    : parameters_(parameters),
      crf_{.kernels = {}, .radius = parameters.radius, .counts_border_as_released = parameters.border == "released"} {
  const std::vector<double>&weights = parameters_.kernel_weights, &xy = parameters_.kernel_xy,
        &rgb = parameters_.kernel_rgb;
  if (weights.empty() || xy.size() != weights.size() || rgb.size() != weights.size()) {
    throw UserError("kernel_weights", "the kernels have not one weight and two widths each",
                    "`kernel_weights`, `kernel_xy` and `kernel_rgb` of one length, at least 1");
  }
  if (std::ranges::any_of(xy, [](double width) { return width <= 0; })) {
    throw UserError("kernel_xy", "a kernel has no width in space", "numbers above 0");
  }
  for (std::size_t k = 0; k < weights.size(); ++k) crf_.kernels.push_back({weights[k], xy[k], rgb[k]});
}

// [N,h,w] on the grid of the logits; undefined = 1 everywhere.
at::Tensor GatedCrfLoss::mask(const std::string& rule, const LossRequest& request) const {
  if (rule == "all") return {};
  const at::Tensor& labels = request.target_nhw;
  at::Tensor full = rule == "unlabelled"
                        ? labels.eq(request.ignore_index).logical_or(labels.eq(kUndecidedLabel)).to(at::kFloat)
                        : valid_region(request.valid, labels.size(1), labels.size(2));
  if (!full.defined()) return {};
  return kernels::resize_labels(full, request.logits.size(2), request.logits.size(3), kernels::LabelSampling::centres);
}

at::Tensor GatedCrfLoss::compute(const LossRequest& request) {
  const at::Tensor& logits = request.logits;
  const at::Tensor image = request.images_raw_nhwc.permute({0, 3, 1, 2}).to(logits.scalar_type()) / 255.0;
  const at::Tensor colours = at::adaptive_avg_pool2d(image, {logits.size(2), logits.size(3)});
  return gated_crf(logits.softmax(1), colours, mask(parameters_.source, request),
                   mask(parameters_.destination, request), crf_);
}

}  // namespace seedbed::crf_losses
