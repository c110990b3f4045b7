#pragma once

#include <ATen/core/Tensor.h>

// PIL's colour adjustments on RGB [H,W,3] uint8, in place; `factor` 1 (hue: 0) changes nothing.
namespace seedbed::images {

void adjust_brightness(at::Tensor& image_hwc, double factor);
void adjust_contrast(at::Tensor& image_hwc, double factor);    ///< towards the mean grey
void adjust_saturation(at::Tensor& image_hwc, double factor);  ///< towards each pixel's grey
void adjust_hue(at::Tensor& image_hwc, double shift);          ///< in turns, -0.5 .. 0.5

}  // namespace seedbed::images
