#pragma once

#include <cstdint>

#include <ATen/core/Tensor.h>

namespace seedbed::boundary {

/// [N,C,H,W] float32: 1 where a disc of `radius` pixels holds both class c and another label (a pixel may be on the
/// boundary of several classes; 0 within the background and deep inside of objects). What is neither known nor a label to
/// compare with (254, 255) makes no boundary. `labels_nhw`: [N,H,W] int64. Threads: [any-thread].
at::Tensor boundary_targets(const at::Tensor& labels_nhw, std::int64_t num_classes, std::int64_t radius);

/// [N,H,W] bool: pixels with a label and more than `margin` pixels away from one without (a square window).
at::Tensor known_pixels(const at::Tensor& labels_nhw, std::int64_t margin);

}  // namespace seedbed::boundary
