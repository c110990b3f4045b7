#pragma once

#include <ATen/core/Tensor.h>

#include "seedbed/export.hpp"
#include "seedbed/loss.hpp"

namespace seedbed {

/// What a loss of single pixels compares: logits and labels of one size.
struct LabelledPixels {
  at::Tensor logits_nkhw;  ///< [N,K,H,W] with the graph of the request's
  at::Tensor labels_nhw;   ///< [N,H,W] int64; what does not count holds label 0, see `counts_nhw`
  at::Tensor counts_nhw;   ///< [N,H,W] bool: neither to ignore nor undecided (254)
  at::Tensor weights_nhw;  ///< [N,H,W] of the logits' type; undefined where the request has no pixel weights
};

/// `request.logits`, brought to the size of `request.target_nhw` (bilinear, half-pixel centres or aligned corners) where
/// that is another, beside the target and the request's pixel weights. (A strategy that compares on the grid of the
/// logits samples labels there before it asks: kernels/label_resize.hpp.)
/// Throws: UserError for a label that is none of the logits'. Threads: [any-thread].
SEEDBED_API LabelledPixels labelled_pixels(const LossRequest& request, bool align_corners);

/// The mean of `values` where `counts` holds, 0 with a graph where it holds nowhere. With weights, each value times its
/// weight, still divided by the number of values.
SEEDBED_API at::Tensor mean_where(const at::Tensor& values, const at::Tensor& counts, const at::Tensor& weights = {});

}  // namespace seedbed
