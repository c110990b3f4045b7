#pragma once

#include <cstdint>

#include <ATen/core/Tensor.h>

/// The terms of SEAM's loss (Wang et al., CVPR 2020, section 3.4; SEAM, train_SEAM.py). Maps are [N,K,H,W] with the
/// background first; `present_nc` [N,C] bool. Gradient: kept.
namespace seedbed::seam {

/// Multi-label soft margin of the maps' averages, without the background.
at::Tensor classification_loss(const at::Tensor& maps_nkhw, const at::Tensor& present_nc);

/// Mean of the `fraction` of pixels that the present classes light up least: moves no map's shape, only where it ends.
at::Tensor minimum_pooling_loss(const at::Tensor& maps_nkhw, const at::Tensor& present_nc, double fraction);

/// Maps that can be compared between views: each between its minimum and maximum, resized (corners aligned), zero for
/// absent classes. The background plane is kept as present.
at::Tensor comparable(const at::Tensor& maps_nkhw, const at::Tensor& present_nc, std::int64_t height,
                      std::int64_t width);

/// Mean distance of two comparable maps, without the background.
at::Tensor equivariance_loss(const at::Tensor& first_nkhw, const at::Tensor& second_nkhw);

/// Mean distance of the refined maps of one view from the plain maps of the other, over the `fraction` of values that
/// differ most. Of `target_nkhw`, which gets no gradient, the largest class of a pixel counts, and as background what
/// that leaves.
at::Tensor cross_refinement_loss(const at::Tensor& refined_nkhw, const at::Tensor& target_nkhw, double fraction);

}  // namespace seedbed::seam
