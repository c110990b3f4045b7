#include "corrected_labels.hpp"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "seedbed/kernels/view_geometry.hpp"
#include "seedbed/types.hpp"

namespace seedbed::label_correction {
namespace {

// Centres that lie on the border of two pixels belong to the second, whatever an inverted matrix made of their last bits.
constexpr double kRounding = 1e-6;

double foreground_of(const at::Tensor& labels_hw) {
  return labels_hw.gt(kBackgroundLabel).logical_and(labels_hw.lt(kUndecidedLabel)).sum().item<double>();
}

double background_of(const at::Tensor& labels_hw) { return labels_hw.eq(kBackgroundLabel).sum().item<double>(); }

}  // namespace

std::optional<at::Tensor> corrected(const at::Tensor& labels_hw, const at::Tensor& probabilities_khw,
                                    const at::Tensor& allowed_k, const CorrectionRule& rule) {
  const c10::NoGradGuard no_grad;
  const auto [confidence_hw, predicted_hw] = probabilities_khw.max(0);
  const at::Tensor is_allowed =
      allowed_k.to(predicted_hw.device()).index_select(0, predicted_hw.flatten()).view_as(predicted_hw);
  const at::Tensor changes = confidence_hw.gt(rule.min_confidence).logical_and(is_allowed);
  const at::Tensor result_hw = at::where(changes, predicted_hw, labels_hw);
  const bool shrinks = foreground_of(result_hw) < rule.min_foreground_kept * foreground_of(labels_hw);
  const bool vanishes = background_of(result_hw) > rule.max_background * static_cast<double>(labels_hw.numel());
  if (shrinks && vanishes) return std::nullopt;
  return result_hw;
}

at::Tensor CorrectedLabels::of_image(const ViewBatch& image) const {
  const std::string& id = image.image_ids.front();
  return labels_.contains(id) ? labels_.read(id).to(image.target_nhw.device(), at::kLong) : image.target_nhw[0];
}

void CorrectedLabels::keep(const ViewBatch& image, const at::Tensor& labels_hw) {
  labels_.write(image.image_ids.front(), labels_hw.to(at::kCPU, at::kByte));
  geometry_.write(image.image_ids.front(), image.to_image_n23[0].cpu());
}

at::Tensor CorrectedLabels::of_view(const ViewBatch& batch, std::int64_t index) const {
  const std::string& id = batch.image_ids[static_cast<std::size_t>(index)];
  const at::Tensor labels_hw = labels_.read(id).to(at::kLong);
  const at::Tensor kept_from_view =
      kernels::view_relation(batch.to_image_n23.slice(0, index, index + 1).cpu(), geometry_.read(id).unsqueeze(0))[0];
  const std::int64_t height = batch.target_nhw.size(1), width = batch.target_nhw.size(2);
  const at::Tensor y = at::arange(height, at::kDouble).view({height, 1}) + 0.5;
  const at::Tensor x = at::arange(width, at::kDouble).view({1, width}) + 0.5;
  const auto place = [&](std::int64_t axis) {
    return (kept_from_view[axis][0] * x + kept_from_view[axis][1] * y + kept_from_view[axis][2] + kRounding)
        .floor()
        .to(at::kLong);
  };
  const at::Tensor column = place(0), row = place(1);
  const at::Tensor inside =
      column.ge(0).logical_and(column.lt(labels_hw.size(1))) & row.ge(0).logical_and(row.lt(labels_hw.size(0)));
  const at::Tensor pixel =
      row.clamp(0, labels_hw.size(0) - 1) * labels_hw.size(1) + column.clamp(0, labels_hw.size(1) - 1);
  return labels_hw.flatten()
      .index_select(0, pixel.flatten())
      .view({height, width})
      .masked_fill(inside.logical_not(), kIgnoreLabel);
}

at::Tensor CorrectedLabels::of_batch(const ViewBatch& batch) const {
  at::Tensor target_nhw = batch.target_nhw;
  for (std::int64_t i = 0; i < target_nhw.size(0); ++i) {
    if (!labels_.contains(batch.image_ids[static_cast<std::size_t>(i)])) continue;
    if (target_nhw.is_same(batch.target_nhw)) target_nhw = target_nhw.clone();
    target_nhw[i].copy_(of_view(batch, i));
  }
  return target_nhw;
}

}  // namespace seedbed::label_correction
