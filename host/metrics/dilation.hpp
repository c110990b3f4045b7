#pragma once

#include <cstdint>
#include <vector>

namespace seedbed::metrics {

/// What "within a distance" means.
enum class Distance {
  euclidean,  ///< a disk: dx^2 + dy^2 <= radius^2
  chessboard  ///< a square of 2 radius + 1
};

/// One byte a pixel, 0 or 1, row by row.
struct PixelSet {
  std::int64_t height_px = 0;
  std::int64_t width_px = 0;
  std::vector<std::uint8_t> inside;

  PixelSet(std::int64_t height, std::int64_t width)
      : height_px(height), width_px(width), inside(static_cast<std::size_t>(height * width)) {}
  std::int64_t count() const;
};

/// Every pixel within `radius` of one of the set's. Threads: [any-thread].
PixelSet dilated(const PixelSet& set, std::int64_t radius, Distance distance);

}  // namespace seedbed::metrics
