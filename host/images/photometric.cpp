#include "images/photometric.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include <ATen/ATen.h>

namespace seedbed::images {
namespace {

/// A box whose width need not be whole: full weight within `whole` pixels of the middle, less on the two next ones.
struct Box {
  std::int64_t whole = 0;
  std::uint32_t full = 0;  ///< weights in 2^-24
  std::uint32_t edge = 0;
};

// The width at which `passes` boxes have the variance of the Gaussian (Gwosdek et al., "Theoretical foundations of
// Gaussian convolution by extended box filtering", 2011). Single precision, since the roundings show in the result.
float box_radius(float radius_px, int passes) {
  const float variance = radius_px * radius_px / static_cast<float>(passes);
  const auto length = static_cast<float>(std::sqrt(12.0 * variance + 1.0));
  const auto whole = static_cast<float>(std::floor((length - 1.0) / 2.0));
  auto part = static_cast<float>((2 * whole + 1) * (whole * (whole + 1) - 3.0 * variance));
  part = static_cast<float>(part / (6.0 * (variance - (whole + 1) * (whole + 1))));
  return whole + part;
}

Box box_of(float radius) {
  constexpr std::uint32_t one = 1U << 24U;
  Box box;
  box.whole = static_cast<std::int64_t>(radius);
  box.full = static_cast<std::uint32_t>(static_cast<float>(one) / (radius * 2 + 1));
  box.edge = (one - static_cast<std::uint32_t>(box.whole * 2 + 1) * box.full) / 2;
  return box;
}

// One line of bytes in place; `from` is room for a copy.
void blur_line(std::uint8_t* line, std::int64_t length, std::int64_t step, const Box& box,
               std::vector<std::uint8_t>& from) {
  const std::int64_t reach = box.whole + 1, last = length - 1;
  from.resize(static_cast<std::size_t>(length + 2 * reach));
  for (std::int64_t i = 0; i < std::ssize(from); ++i)
    from[static_cast<std::size_t>(i)] = line[std::clamp<std::int64_t>(i - reach, 0, last) * step];
  std::uint32_t sum = 0;
  for (std::int64_t i = 1; i < 2 * reach; ++i) sum += from[static_cast<std::size_t>(i)];
  for (std::int64_t x = 0; x < length; ++x) {
    const auto first = static_cast<std::size_t>(x), behind = static_cast<std::size_t>(x + 2 * reach);
    const std::uint32_t edges = static_cast<std::uint32_t>(from[first]) + from[behind];
    line[x * step] = static_cast<std::uint8_t>((sum * box.full + edges * box.edge + (1U << 23U)) >> 24U);
    sum += from[behind];
    sum -= from[first + 1];
  }
}

std::uint8_t* pixels_of(at::Tensor& image_hwc) { return image_hwc.mutable_data_ptr<std::uint8_t>(); }

}  // namespace

void make_grey(at::Tensor& image_hwc) {
  std::uint8_t* rgb = pixels_of(image_hwc);
  for (std::uint8_t* end = rgb + image_hwc.numel(); rgb != end; rgb += 3) {
    const std::uint32_t grey = rgb[0] * 19595U + rgb[1] * 38470U + rgb[2] * 7471U + 0x8000U;
    std::fill_n(rgb, 3, static_cast<std::uint8_t>(grey >> 16U));
  }
}

void solarise(at::Tensor& image_hwc, int threshold) {
  std::uint8_t* value = pixels_of(image_hwc);
  for (const std::uint8_t* end = value + image_hwc.numel(); value != end; ++value)
    if (*value >= threshold) *value = static_cast<std::uint8_t>(255 - *value);
}

void blur_gaussian(at::Tensor& image_hwc, double radius_px) {
  if (radius_px <= 0) return;
  constexpr int passes = 3;
  const Box box = box_of(box_radius(static_cast<float>(radius_px), passes));
  const std::int64_t height = image_hwc.size(0), width = image_hwc.size(1), row = width * 3;
  std::uint8_t* pixels = pixels_of(image_hwc);
  std::vector<std::uint8_t> room;
  for (std::int64_t y = 0; y < height; ++y)
    for (std::int64_t channel = 0; channel < 3; ++channel)
      for (int pass = 0; pass < passes; ++pass) blur_line(pixels + y * row + channel, width, 3, box, room);
  for (std::int64_t column = 0; column < row; ++column)
    for (int pass = 0; pass < passes; ++pass) blur_line(pixels + column, height, row, box, room);
}

}  // namespace seedbed::images
