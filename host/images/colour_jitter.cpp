#include "images/colour_jitter.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <span>

#include <ATen/ATen.h>

// Follows Pillow's Blend.c and Convert.c, whose roundings are part of the result.
namespace seedbed::images {
namespace {

std::span<std::uint8_t> pixels_of(at::Tensor& image_hwc) {
  return {image_hwc.mutable_data_ptr<std::uint8_t>(), static_cast<std::size_t>(image_hwc.numel())};
}

// From `base` through `value` (factor 1) and beyond; cut off, not rounded.
std::uint8_t blended(std::uint8_t base, std::uint8_t value, float factor) {
  const float mixed = static_cast<float>(base) + factor * (static_cast<float>(value) - static_cast<float>(base));
  return static_cast<std::uint8_t>(std::clamp(mixed, 0.0F, 255.0F));
}

std::uint8_t grey_of(const std::uint8_t* rgb) {
  return static_cast<std::uint8_t>((rgb[0] * 19595U + rgb[1] * 38470U + rgb[2] * 7471U + 0x8000U) >> 16U);
}

std::uint8_t clipped(double value) { return static_cast<std::uint8_t>(std::clamp(value, 0.0, 255.0)); }

using Triple = std::array<std::uint8_t, 3>;

Triple hsv_of(const std::uint8_t* rgb) {
  const std::uint8_t high = std::max({rgb[0], rgb[1], rgb[2]}), low = std::min({rgb[0], rgb[1], rgb[2]});
  if (high == low) return {0, 0, high};
  const auto range = static_cast<float>(high - low);
  const auto below = [&](int channel) { return static_cast<float>(high - rgb[channel]) / range; };
  float hue = 0;
  if (rgb[0] == high) {
    hue = below(2) - below(1);
  } else if (rgb[1] == high) {
    hue = 2.0F + below(0) - below(2);
  } else {
    hue = 4.0F + below(1) - below(0);
  }
  hue = static_cast<float>(std::fmod(hue / 6.0 + 1.0, 1.0));
  return {clipped(hue * 255.0), clipped(range / static_cast<float>(high) * 255.0), high};
}

Triple rgb_of(const Triple& hsv) {
  const std::uint8_t value = hsv[2];
  if (hsv[1] == 0) return {value, value, value};
  const double sixth = hsv[0] * 6.0 / 255.0;
  const auto sector = static_cast<int>(std::floor(sixth));
  const double fraction = sixth - sector, saturation = hsv[1] / 255.0;
  const std::uint8_t low = clipped(std::round(value * (1.0 - saturation)));
  const std::uint8_t falling = clipped(std::round(value * (1.0 - saturation * fraction)));
  const std::uint8_t rising = clipped(std::round(value * (1.0 - saturation * (1.0 - fraction))));
  switch (sector % 6) {
    case 0:
      return {value, rising, low};
    case 1:
      return {falling, value, low};
    case 2:
      return {low, value, rising};
    case 3:
      return {low, falling, value};
    case 4:
      return {rising, low, value};
    default:
      return {value, low, falling};
  }
}

}  // namespace

void adjust_brightness(at::Tensor& image_hwc, double factor) {
  for (std::uint8_t& value : pixels_of(image_hwc)) value = blended(0, value, static_cast<float>(factor));
}

void adjust_contrast(at::Tensor& image_hwc, double factor) {
  const std::span pixels = pixels_of(image_hwc);
  double sum = 0;
  for (std::size_t i = 0; i < pixels.size(); i += 3) sum += grey_of(&pixels[i]);
  const auto mean = static_cast<std::uint8_t>(sum / (static_cast<double>(pixels.size()) / 3) + 0.5);
  for (std::uint8_t& value : pixels) value = blended(mean, value, static_cast<float>(factor));
}

void adjust_saturation(at::Tensor& image_hwc, double factor) {
  const std::span pixels = pixels_of(image_hwc);
  for (std::size_t i = 0; i < pixels.size(); i += 3) {
    const std::uint8_t grey = grey_of(&pixels[i]);
    for (std::size_t channel = 0; channel < 3; ++channel)
      pixels[i + channel] = blended(grey, pixels[i + channel], static_cast<float>(factor));
  }
}

void adjust_hue(at::Tensor& image_hwc, double shift) {
  const std::span pixels = pixels_of(image_hwc);
  const auto steps = static_cast<std::uint8_t>(static_cast<int>(shift * 255.0));  // wraps, as a hue does
  for (std::size_t i = 0; i < pixels.size(); i += 3) {
    Triple hsv = hsv_of(&pixels[i]);
    hsv[0] = static_cast<std::uint8_t>(hsv[0] + steps);
    std::ranges::copy(rgb_of(hsv), pixels.begin() + static_cast<std::ptrdiff_t>(i));
  }
}

}  // namespace seedbed::images
