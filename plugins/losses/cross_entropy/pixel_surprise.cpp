#include "pixel_surprise.hpp"

#include <ATen/ATen.h>

#include "seedbed/types.hpp"

namespace seedbed::cross_entropy {

at::Tensor pixel_surprise(const LabelledPixels& pixels, double smoothing, const at::Tensor& class_weights) {
  const at::Tensor log_probabilities = pixels.logits_nkhw.log_softmax(1);
  const at::Tensor labels = pixels.labels_nhw.masked_fill(pixels.counts_nhw.logical_not(), kIgnoreLabel);
  const at::Tensor of_label =
      at::nll_loss2d(log_probabilities, labels, class_weights, at::Reduction::None, kIgnoreLabel);
  if (smoothing == 0.0) return of_label;
  const auto num_labels = static_cast<double>(log_probabilities.size(1));
  at::Tensor of_all = log_probabilities;
  if (class_weights.defined()) of_all = of_all * class_weights.view({1, -1, 1, 1});
  of_all = of_all.sum(1).neg().masked_fill(pixels.counts_nhw.logical_not(), 0);
  return (1 - smoothing) * of_label + smoothing / num_labels * of_all;
}

}  // namespace seedbed::cross_entropy
