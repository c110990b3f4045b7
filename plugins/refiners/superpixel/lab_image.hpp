#pragma once

#include <ATen/core/Tensor.h>
#include <opencv2/core.hpp>

namespace seedbed::superpixel {

/// CIE Lab (L 0..100) of an image [H,W,3] uint8 RGB as [H,W] of three floats.
cv::Mat lab_image(const at::Tensor& image_hwc);

}  // namespace seedbed::superpixel
