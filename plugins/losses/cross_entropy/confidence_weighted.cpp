#include "confidence_weighted.hpp"

#include <ATen/ATen.h>

#include "pixel_surprise.hpp"

namespace seedbed::cross_entropy {

at::Tensor ConfidenceWeightedCrossEntropy::compute(const LossRequest& request) {
  LossRequest with_confidence = request;
  with_confidence.pixel_weights_nhw = request.companions.at("confidence").squeeze(1);
  LabelledPixels pixels = labelled_pixels(with_confidence, parameters_.align_corners);
  const at::Tensor confidence = pixels.weights_nhw;
  if (parameters_.rule == "ignore_below") {
    pixels.counts_nhw = pixels.counts_nhw.logical_and(confidence.ge(parameters_.threshold));
    return mean_where(pixel_surprise(pixels), pixels.counts_nhw);
  }
  const at::Tensor weights = confidence.pow(parameters_.power).masked_fill(pixels.counts_nhw.logical_not(), 0);
  const at::Tensor surprise = pixel_surprise(pixels);
  if (parameters_.normalise == "pixels") return mean_where(surprise, pixels.counts_nhw, weights);
  const at::Tensor total = weights.sum();
  return (surprise * weights).sum() / total.masked_fill(total.eq(0), 1);
}

}  // namespace seedbed::cross_entropy
