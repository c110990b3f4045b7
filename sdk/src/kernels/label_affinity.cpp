#include "seedbed/kernels/label_affinity.hpp"

#include <ATen/ATen.h>

#include "seedbed/types.hpp"

namespace seedbed::kernels {
namespace {

// [L,L] bool: rows and columns of both cells at most `radius` apart.
at::Tensor within_window(std::int64_t height, std::int64_t width, std::int64_t radius, c10::Device device) {
  const auto options = at::TensorOptions(at::kLong).device(device);
  const at::Tensor rows = at::arange(height, options).repeat_interleave(width);
  const at::Tensor columns = at::arange(width, options).repeat(height);
  const auto near = [&](const at::Tensor& place) { return (place.unsqueeze(1) - place).abs().le(radius); };
  return near(rows).logical_and(near(columns));
}

}  // namespace

at::Tensor affinity_targets(const at::Tensor& labels_nhw, const AffinityPairs& pairs) {
  const at::Tensor cells = labels_nhw.flatten(1);
  const at::Tensor open = cells.eq(kIgnoreLabel).logical_or(cells.eq(kUndecidedLabel));
  at::Tensor left_out = open.unsqueeze(2).logical_or(open.unsqueeze(1));
  if (pairs.radius >= 0) {
    left_out = left_out.logical_or(
        within_window(labels_nhw.size(1), labels_nhw.size(2), pairs.radius, labels_nhw.device()).logical_not());
  }
  at::Tensor targets = cells.unsqueeze(2).eq(cells.unsqueeze(1)).to(at::kLong).masked_fill_(left_out, kIgnoreLabel);
  if (!pairs.with_itself) targets.diagonal(0, 1, 2).fill_(kIgnoreLabel);
  return targets;
}

at::Tensor affinity_loss(const at::Tensor& affinity_nll, const at::Tensor& targets_nll) {
  const at::Tensor equal = targets_nll.eq(1), different = targets_nll.eq(0);
  const at::Tensor missed = (1 - affinity_nll).masked_fill(equal.logical_not(), 0).sum() / (equal.sum() + 1);
  const at::Tensor mistaken = affinity_nll.masked_fill(different.logical_not(), 0).sum() / (different.sum() + 1);
  return 0.5 * (missed + mistaken);
}

}  // namespace seedbed::kernels
