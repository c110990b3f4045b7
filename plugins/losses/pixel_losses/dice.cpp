#include "dice.hpp"

#include <ATen/ATen.h>

namespace seedbed::pixel_losses {

at::Tensor Dice::compute(const LossRequest& request) {
  const LabelledPixels pixels = labelled_pixels(request, parameters_.align_corners);
  const at::Tensor counts = pixels.counts_nhw.unsqueeze(1);
  const std::int64_t num_labels = pixels.logits_nkhw.size(1);
  at::Tensor probabilities = pixels.logits_nkhw.softmax(1) * counts;
  at::Tensor truth =
      at::one_hot(pixels.labels_nhw, num_labels).permute({0, 3, 1, 2}).to(probabilities.scalar_type()) * counts;
  if (!parameters_.with_background) {
    probabilities = probabilities.slice(1, 1);
    truth = truth.slice(1, 1);
  }
  // Over the pixels of an image, or of the whole batch as if it were one.
  const std::vector<std::int64_t> over =
      parameters_.per_image ? std::vector<std::int64_t>{2, 3} : std::vector<std::int64_t>{0, 2, 3};
  const at::Tensor overlap = (probabilities * truth).sum(over);
  const at::Tensor size = (parameters_.squared ? probabilities.square() : probabilities).sum(over) + truth.sum(over);
  return (1 - (2 * overlap + parameters_.smooth) / (size + parameters_.smooth)).mean();
}

}  // namespace seedbed::pixel_losses
