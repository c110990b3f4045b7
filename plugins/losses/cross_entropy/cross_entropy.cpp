#include "cross_entropy.hpp"

#include <ATen/ATen.h>

#include "seedbed/kernels/resize.hpp"

namespace seedbed::cross_entropy {

at::Tensor CrossEntropy::compute(const LossRequest& request) {
  const at::Tensor& target_nhw = request.target_nhw;
  at::Tensor logits_nkhw = request.logits;
  if (logits_nkhw.sizes().slice(2) != target_nhw.sizes().slice(1)) {
    logits_nkhw = kernels::resize_maps(logits_nkhw, target_nhw.size(1), target_nhw.size(2), parameters_.align_corners);
  }
  // A pixel that a rule left undecided teaches as little as one to ignore.
  const at::Tensor labels_nhw = target_nhw.masked_fill(target_nhw == kUndecidedLabel, request.ignore_index);
  const at::Tensor num_labelled = (labels_nhw != request.ignore_index).sum();
  // The sum divided by at least 1 keeps the graph where nothing is labelled; the mean would be 0 / 0.
  const at::Tensor sum =
      at::nll_loss2d(logits_nkhw.log_softmax(1), labels_nhw, {}, at::Reduction::Sum, request.ignore_index);
  return sum / num_labelled.clamp_min(1);
}

}  // namespace seedbed::cross_entropy
