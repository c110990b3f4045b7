#pragma once

#include <ATen/core/Tensor.h>

#include "seedbed/types.hpp"

namespace seedbed::crf_losses {

/// [N,H,W] float32, 1 within each image's valid box and 0 in the padding; undefined where no boxes are given.
at::Tensor valid_region(const ValidBoxes& valid, std::int64_t height, std::int64_t width);

}  // namespace seedbed::crf_losses
