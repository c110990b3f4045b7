#include "dataset/scene_appearance.hpp"

#include <algorithm>
#include <cstdlib>

namespace seedbed::dataset {
namespace {

std::int32_t squared(std::int32_t value) { return value * value; }

// Euclidean remainder: textures go on smoothly through zero.
std::int32_t wrapped(std::int32_t value, std::int32_t period) {
  const std::int32_t rest = value % period;
  return rest < 0 ? rest + period : rest;
}

bool second_half(std::int32_t value, std::int32_t period) { return wrapped(value, period) * 2 >= period; }

// Integer square root by Newton's method.
std::int32_t root(std::int32_t value) {
  if (value < 2) return value;
  std::int32_t guess = value, next = (value + 1) / 2;
  while (next < guess) {
    guess = next;
    next = (guess + value / guess) / 2;
  }
  return guess;
}

constexpr std::int32_t kPixel = 16;

}  // namespace

std::string_view shape_name(std::int64_t shape) {
  constexpr std::array<std::string_view, kNumShapes> names{"disc", "square", "triangle", "cross",
                                                           "ring", "bar",    "star",     "crescent"};
  return names.at(static_cast<std::size_t>(shape));
}

bool shape_covers(std::int64_t shape, std::int32_t u, std::int32_t v) {
  const std::int32_t au = std::abs(u), av = std::abs(v);
  if (std::max(au, av) > kUnit) return false;
  const std::int32_t radius_squared = squared(u) + squared(v);
  switch (shape) {
    case 0:
      return radius_squared <= squared(kUnit);
    case 1:
      return std::max(au, av) <= 840;
    case 2:
      return v <= 700 && 2 * au <= v + kUnit;
    case 3:
      return std::min(au, av) <= 340 && std::max(au, av) <= 1000;
    case 4:
      return radius_squared <= squared(kUnit) && radius_squared >= squared(520);
    case 5:
      return av <= 400;
    case 6:
      return (au + 260) * (av + 260) <= 260 * (260 + kUnit);
    default:
      return radius_squared <= squared(kUnit) && squared(u - 450) + squared(v) > squared(760);
  }
}

bool texture_is_dark(std::int64_t shape, std::int32_t p, std::int32_t q) {
  switch (shape) {
    case 0:
      return second_half(q, 4 * kPixel);  // thin stripes
    case 1:
      return second_half(p, 8 * kPixel) != second_half(q, 8 * kPixel);  // chequers
    case 2: {                                                           // dots
      const std::int32_t period = 6 * kPixel;
      return squared(wrapped(p, period) - period / 2) + squared(wrapped(q, period) - period / 2) <= squared(2 * kPixel);
    }
    case 3:
      return second_half(root(squared(p) + squared(q)), 6 * kPixel);  // rings
    case 4:
      return second_half(p + q, 10 * kPixel);  // wide slanting stripes
    case 5:
      return second_half(q + std::abs(wrapped(p, 8 * kPixel) - 4 * kPixel), 6 * kPixel);  // zigzag
    case 6:
      return wrapped(p, 5 * kPixel) < kPixel || wrapped(q, 5 * kPixel) < kPixel;  // grid lines
    default:
      return false;  // plain
  }
}

Colour colour_from_hsv(std::int32_t hue, std::int32_t saturation, std::int32_t value) {
  hue = wrapped(hue, 1536);
  const std::int32_t rest = hue % 256;
  const std::int32_t low = value * (255 - saturation) / 255;
  const std::int32_t falling = value * (255 * 256 - saturation * rest) / (255 * 256);
  const std::int32_t rising = value * (255 * 256 - saturation * (256 - rest)) / (255 * 256);
  switch (hue / 256) {
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

}  // namespace seedbed::dataset
