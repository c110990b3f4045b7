#pragma once

#include <ATen/core/Tensor.h>

namespace seedbed::drs {

/// min(R, g max R) of activations R [N,D,h,w] and shares g [N,D], float32. Where a gradient flows: what is let through gets
/// its own; what is held down sends its gradient, times g, to the first cell that attains the maximum, and, times the
/// maximum, to g. (AdaptiveMaxPool2d and minimum have these gradients but where R equals the limit; there half of it would
/// go either way.)
///
/// Two passes over memory forward and one backward on CPUs, in either memory layout; elsewhere, ATen's operations. Sums are
/// taken in one order whatever the number of threads. Threads: [any-thread]. Gradient: kept, once.
at::Tensor suppress(const at::Tensor& activated_ndhw, const at::Tensor& share_nd);

/// The same by ATen's operations alone.
at::Tensor suppress_by_operations(const at::Tensor& activated_ndhw, const at::Tensor& share_nd);

}  // namespace seedbed::drs
