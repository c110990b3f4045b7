#pragma once

#include <ATen/core/Tensor.h>

// Changes of RGB [H,W,3] uint8 that move no pixel, in place, equal to Pillow's. Colour jitter is in colour_jitter.hpp.
namespace seedbed::images {

/// Three equal channels of PIL's grey ("L").
void make_grey(at::Tensor& image_hwc);

/// Turns values of at least `threshold` round: v becomes 255 - v.
void solarise(at::Tensor& image_hwc, int threshold);

/// PIL's GaussianBlur of this radius (its standard deviation in pixels): three box blurs of fractional width a direction,
/// each rounded to 8 bits, edges repeated. Radius 0 changes nothing.
void blur_gaussian(at::Tensor& image_hwc, double radius_px);

}  // namespace seedbed::images
