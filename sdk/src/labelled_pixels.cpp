#include "seedbed/labelled_pixels.hpp"

#include <string>

#include <ATen/ATen.h>

#include "seedbed/error.hpp"
#include "seedbed/kernels/resize.hpp"

namespace seedbed {
namespace {

void check_labels(const LabelledPixels& pixels) {
  if (pixels.labels_nhw.numel() == 0) return;
  const std::int64_t num_labels = pixels.logits_nkhw.size(1);
  const auto highest = pixels.labels_nhw.max().item<std::int64_t>();
  const auto lowest = pixels.labels_nhw.min().item<std::int64_t>();
  if (lowest >= 0 && highest < num_labels) return;
  throw UserError(
      "labels",
      "A pixel has a label that the segmenter does not know: `" + std::to_string(lowest < 0 ? lowest : highest) + "`.",
      "0 .. " + std::to_string(num_labels - 1) + ", 254 (undecided) or 255 (ignore)");
}

}  // namespace

LabelledPixels labelled_pixels(const LossRequest& request, bool align_corners) {
  const at::Tensor& target = request.target_nhw;
  LabelledPixels pixels;
  pixels.logits_nkhw = request.logits;
  if (pixels.logits_nkhw.sizes().slice(2) != target.sizes().slice(1)) {
    pixels.logits_nkhw = kernels::resize_maps(pixels.logits_nkhw, target.size(1), target.size(2), align_corners);
  }
  // A pixel that a rule left undecided teaches as little as one to ignore.
  const at::Tensor left_out = target.eq(request.ignore_index).logical_or(target.eq(kUndecidedLabel));
  pixels.counts_nhw = left_out.logical_not();
  pixels.labels_nhw = target.masked_fill(left_out, 0);
  if (request.pixel_weights_nhw.defined()) {
    pixels.weights_nhw = request.pixel_weights_nhw.to(pixels.logits_nkhw.scalar_type());
  }
  check_labels(pixels);
  return pixels;
}

at::Tensor mean_where(const at::Tensor& values, const at::Tensor& counts, const at::Tensor& weights) {
  // Zeroed and not left out: an infinite value at a pixel that does not count would make the product NaN.
  at::Tensor counted = values.masked_fill(counts.logical_not(), 0);
  if (weights.defined()) counted = counted * weights;
  // Divided by at least 1, so that the graph stays where nothing counts.
  return counted.sum() / counts.sum().clamp_min(1);
}

}  // namespace seedbed
