#include "metrics/dilation.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace seedbed::metrics {
namespace {

// How far a row `dy` away reaches: the largest dx with dx^2 + dy^2 <= radius^2.
std::int64_t reach(std::int64_t radius, std::int64_t dy, Distance distance) {
  if (distance == Distance::chessboard) return radius;
  const std::int64_t square = radius * radius - dy * dy;
  auto root = static_cast<std::int64_t>(std::sqrt(static_cast<double>(square)));
  while (root * root > square) --root;
  while ((root + 1) * (root + 1) <= square) ++root;
  return root;
}

// First and last pixel of each run of set pixels of a row.
struct Run {
  std::int64_t begin = 0;
  std::int64_t end = 0;
};

std::vector<Run> runs_of_row(const std::uint8_t* row, std::int64_t width) {
  std::vector<Run> runs;
  for (std::int64_t x = 0; x < width; ++x) {
    if (row[x] == 0) continue;
    const std::int64_t begin = x;
    while (x < width && row[x] != 0) ++x;
    runs.push_back({begin, x});
  }
  return runs;
}

}  // namespace

std::int64_t PixelSet::count() const { return std::accumulate(inside.begin(), inside.end(), std::int64_t{0}); }

// Boundaries are thin: rows of the disk are laid over runs of pixels, which costs less than a filter over all pixels.
PixelSet dilated(const PixelSet& set, std::int64_t radius, Distance distance) {
  PixelSet out(set.height_px, set.width_px);
  for (std::int64_t y = 0; y < set.height_px; ++y) {
    const std::vector<Run> runs = runs_of_row(set.inside.data() + y * set.width_px, set.width_px);
    if (runs.empty()) continue;
    for (std::int64_t dy = -radius; dy <= radius; ++dy) {
      if (y + dy < 0 || y + dy >= set.height_px) continue;
      const std::int64_t dx = reach(radius, dy, distance);
      std::uint8_t* row = out.inside.data() + (y + dy) * set.width_px;
      for (const Run& run : runs)
        std::fill(row + std::max<std::int64_t>(0, run.begin - dx), row + std::min(set.width_px, run.end + dx),
                  std::uint8_t{1});
    }
  }
  return out;
}

}  // namespace seedbed::metrics
