#pragma once

#include <ATen/core/Tensor.h>

#include "dataset/augmentation_spec.hpp"

namespace seedbed::images {

/// OpenCV's resize with INTER_LINEAR of RGB [H,W,3] uint8: half-pixel centres, never antialiased, its own roundings.
at::Tensor resize_image_as_opencv(const at::Tensor& image_hwc, dataset::Extent extent);

}  // namespace seedbed::images
