#pragma once

#include <array>
#include <cstdint>
#include <string_view>

// What the objects of the procedural scenes look like. Integers only, so that every machine draws the same.
namespace seedbed::dataset {

using Colour = std::array<std::int32_t, 3>;

/// Local coordinates of an object at which its outline is described: |u|, |v| <= kUnit is about its radius.
inline constexpr std::int32_t kUnit = 1024;
inline constexpr std::int64_t kNumShapes = 8;

std::string_view shape_name(std::int64_t shape);

/// Whether shape number `shape` (0..7) covers the point; u to the right, v down.
bool shape_covers(std::int64_t shape, std::int32_t u, std::int32_t v);

/// Which of its two colours shape number `shape` shows at p, q: sixteenths of a pixel from its centre.
bool texture_is_dark(std::int64_t shape, std::int32_t p, std::int32_t q);

/// hue 0..1535 (256 a sixth), saturation and value 0..255.
Colour colour_from_hsv(std::int32_t hue, std::int32_t saturation, std::int32_t value);

/// Sine and cosine times 4096, of -30, -25 ... 30 degrees.
struct Turn {
  std::int32_t sine;
  std::int32_t cosine;
};
inline constexpr std::array<Turn, 13> kTurns{{{-2048, 3547},
                                              {-1731, 3712},
                                              {-1401, 3849},
                                              {-1060, 3956},
                                              {-711, 4034},
                                              {-357, 4080},
                                              {0, 4096},
                                              {357, 4080},
                                              {711, 4034},
                                              {1060, 3956},
                                              {1401, 3849},
                                              {1731, 3712},
                                              {2048, 3547}}};

}  // namespace seedbed::dataset
