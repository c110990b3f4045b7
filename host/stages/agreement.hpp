#pragma once

#include <cstdint>

#include <ATen/core/Tensor.h>

namespace seedbed::stages {

/// Joins labels made beside a strong and beside a weak background: classes that the strong one leaves, background that
/// even the weak one gives, and `doubtful` elsewhere. Where the two contradict each other the class wins (IRN), or the
/// background with `background_wins` (PSA). Both [N,H,W] uint8 of one size.
at::Tensor agreed_labels(const at::Tensor& strong_nhw, const at::Tensor& weak_nhw, bool background_wins,
                         std::int64_t doubtful);

}  // namespace seedbed::stages
