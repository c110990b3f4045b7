#pragma once

#include <ATen/core/Tensor.h>

#include "seedbed/kernels/channel_affine.hpp"
#include "seedbed/layers.hpp"

namespace seedbed {

/// Whether fused_convolution() takes this input: float32 on the CPU, outside any graph and autocast, and of a size
/// for which at::conv2d() asks oneDNN too.
bool takes_fused_convolution(const at::Tensor& input_nchw);

/// activation(convolution(input) + bias) as one primitive of oneDNN: the activation is done while the output is in the
/// processor's caches, and costs no pass over memory. Numbers are those of at::conv2d(), but for float noise where that
/// has a kernel of its own (1 x 1, channels last).
///
/// Requires: takes_fused_convolution(input_nchw).
/// Threads: [any-thread], parallel inside. Gradient: none.
at::Tensor fused_convolution(const at::Tensor& input_nchw, const Conv2d& layer, Activation activation);

}  // namespace seedbed
