#include "boundary_targets.hpp"

#include <ATen/ATen.h>

#include "seedbed/types.hpp"

namespace seedbed::boundary {
namespace {

at::Tensor labelled(const at::Tensor& labels_nhw) {
  return labels_nhw.ne(kIgnoreLabel).logical_and(labels_nhw.ne(kUndecidedLabel));
}

// [1,1,2r+1,2r+1] float32.
at::Tensor disc(std::int64_t radius, const at::TensorOptions& options) {
  const at::Tensor squares = at::arange(-radius, radius + 1, options).square();
  return (squares.unsqueeze(1) + squares)
      .le(static_cast<double>(radius * radius))
      .to(at::kFloat)
      .view({1, 1, 2 * radius + 1, 2 * radius + 1});
}

}  // namespace

at::Tensor boundary_targets(const at::Tensor& labels_nhw, std::int64_t num_classes, std::int64_t radius) {
  const at::Tensor window = disc(radius, labels_nhw.options().dtype(at::kFloat));
  const auto count_near = [&](const at::Tensor& mask_nhw) {
    return at::conv2d(mask_nhw.unsqueeze(1).to(at::kFloat), window, {}, 1, radius).squeeze(1);
  };
  const at::Tensor known = count_near(labelled(labels_nhw));
  at::Tensor targets = at::zeros({labels_nhw.size(0), num_classes, labels_nhw.size(1), labels_nhw.size(2)},
                                 labels_nhw.options().dtype(at::kFloat));
  for (std::int64_t c = 1; c <= num_classes; ++c) {
    const at::Tensor mask = labels_nhw.eq(c);
    if (!mask.any().item<bool>()) continue;  // most classes are in no image of a batch
    const at::Tensor near = count_near(mask);
    targets.select(1, c - 1).copy_(near.gt(0.5).logical_and(near.lt(known - 0.5)));
  }
  return targets;
}

at::Tensor known_pixels(const at::Tensor& labels_nhw, std::int64_t margin) {
  const at::Tensor known = labelled(labels_nhw);
  if (margin == 0) return known;
  const at::Tensor unknown = known.logical_not().to(at::kFloat).unsqueeze(1);
  return at::max_pool2d(unknown, 2 * margin + 1, 1, margin).squeeze(1).lt(0.5);
}

}  // namespace seedbed::boundary
