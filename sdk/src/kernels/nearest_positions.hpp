#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

namespace seedbed::kernels {

/// Of each of `to` positions the one of `from` that Pillow's NEAREST takes. It adds up the scale instead of multiplying it,
/// which shows where a sample falls on a pixel's edge.
inline std::vector<std::int64_t> nearest_positions(std::int64_t from, std::int64_t to) {
  const double scale = static_cast<double>(from) / static_cast<double>(to);
  std::vector<std::int64_t> positions;
  double centre = scale * 0.5;
  for (std::int64_t i = 0; i < to; ++i, centre += scale) {
    positions.push_back(std::min(static_cast<std::int64_t>(centre), from - 1));
  }
  return positions;
}

}  // namespace seedbed::kernels
