#pragma once

#include <ATen/core/Tensor.h>

/// The terms of BAS's loss (Wu et al., CVPR 2022; BAS-Extension, WSSS/net/resnet50_bas.py and WSSS/train_bas.py). One class an
/// image takes part where `classes_n` [N] int64 names it. Gradient: kept, but where said.
namespace seedbed::bas {

/// For each present class a softmax over it and the absent classes; summed over the present ones, averaged over images.
/// logits_nc [N,C], present_nc [N,C] bool.
at::Tensor grouped_softmax_loss(const at::Tensor& logits_nc, const at::Tensor& present_nc);

/// What of each image's activation survives without the foreground, ReLU(erased) / ReLU(whole), averaged. `whole_n` gets
/// no gradient; where the rest is the more active, the ratio is `over_one`, a constant. Both [N].
at::Tensor suppression_loss(const at::Tensor& erased_n, const at::Tensor& whole_n, double over_one);

/// Cross-entropy of the class maps averaged under the foreground. class_maps_nchw [N,C,h,w]; foreground_n1hw of any size,
/// averaged to theirs.
at::Tensor foreground_loss(const at::Tensor& class_maps_nchw, const at::Tensor& foreground_n1hw,
                           const at::Tensor& classes_n);

/// values_nc... [N,C,...] -> [N,1,...], each image's class alone.
at::Tensor of_classes(const at::Tensor& values_nc, const at::Tensor& classes_n);

}  // namespace seedbed::bas
