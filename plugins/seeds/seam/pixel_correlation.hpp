#pragma once

#include <ATen/core/Tensor.h>

/// The pixel correlation module (Wang et al., CVPR 2020, section 3.3): maps spread along similar pixels.
namespace seedbed::seam {

/// What is spread: each map over its maximum, of the foreground the largest of a cell alone, and as background what the
/// largest leaves. [N,K,h,w], background first -> the same. Gradient: none.
at::Tensor spreadable(const at::Tensor& maps_nkhw);

/// Each cell becomes the mean of all cells, weighted by how much their features point its way (cosine, negative ones 0).
/// maps_nkhw [N,K,h,w], features_ndhw [N,D,h,w] -> [N,K,h,w]. Gradient: kept, to both. Without gradients the weights are
/// made for some columns at a time, so that memory grows with the number of cells and not with its square.
at::Tensor correlate(const at::Tensor& maps_nkhw, const at::Tensor& features_ndhw);

}  // namespace seedbed::seam
