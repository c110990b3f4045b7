#include "focal.hpp"

#include <ATen/ATen.h>

namespace seedbed::pixel_losses {
namespace {

constexpr double kSmallestMiss = 1e-12;  // keeps the gradient of (1 - p)^gamma finite at p = 1

// (1 - p)^gamma (-log p) of each pixel's label, [N,H,W].
at::Tensor softmax_form(const LabelledPixels& pixels, double gamma) {
  const at::Tensor log_probability =
      pixels.logits_nkhw.log_softmax(1).gather(1, pixels.labels_nhw.unsqueeze(1)).squeeze(1);
  return (1 - log_probability.exp()).clamp_min(kSmallestMiss).pow(gamma) * -log_probability;
}

// Each label by itself, one against all others; the mean over labels is taken here. [N,H,W]
at::Tensor sigmoid_form(const LabelledPixels& pixels, double gamma, double alpha) {
  const at::Tensor truth = at::one_hot(pixels.labels_nhw, pixels.logits_nkhw.size(1))
                               .permute({0, 3, 1, 2})
                               .to(pixels.logits_nkhw.scalar_type());
  const at::Tensor surprise =
      at::binary_cross_entropy_with_logits(pixels.logits_nkhw, truth, {}, {}, at::Reduction::None);
  const at::Tensor miss = (1 - surprise.neg().exp()).clamp_min(kSmallestMiss);
  const at::Tensor share = alpha * truth + (1 - alpha) * (1 - truth);
  return (share * miss.pow(gamma) * surprise).mean(1);
}

}  // namespace

at::Tensor Focal::compute(const LossRequest& request) {
  const LabelledPixels pixels = labelled_pixels(request, parameters_.align_corners);
  const at::Tensor values = parameters_.form == "softmax" ? softmax_form(pixels, parameters_.gamma)
                                                          : sigmoid_form(pixels, parameters_.gamma, parameters_.alpha);
  return mean_where(values, pixels.counts_nhw, pixels.weights_nhw);
}

}  // namespace seedbed::pixel_losses
