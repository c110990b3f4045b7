#include "plane_blocks.hpp"

#include <algorithm>

#include "vector_lanes.hpp"

namespace seedbed::kernels {
namespace {

/// Rows that are turned at once: a cache line of every plane.
constexpr std::int64_t kTile = 16;

template <std::int64_t Width>
void interleave_rows(const float* planes, std::int64_t rows, std::int64_t count, float factor, float fill,
                     float* block) {
  for (std::int64_t first = 0; first < rows; first += kTile) {
    const std::int64_t size = std::min(kTile, rows - first);
    float* out = block + first * Width;
    for (std::int64_t p = 0; p < count; ++p) {
      const float* in = planes + p * rows + first;
      for (std::int64_t i = 0; i < size; ++i) out[i * Width + p] = in[i] * factor;
    }
    for (std::int64_t i = 0; i < size; ++i) std::fill(out + i * Width + count, out + (i + 1) * Width, fill);
  }
}

template <std::int64_t Width>
void separate_rows(const float* block, std::int64_t rows, std::int64_t count, float* planes) {
  for (std::int64_t first = 0; first < rows; first += kTile) {
    const std::int64_t size = std::min(kTile, rows - first);
    const float* in = block + first * Width;
    for (std::int64_t p = 0; p < count; ++p) {
      float* out = planes + p * rows + first;
      for (std::int64_t i = 0; i < size; ++i) out[i] = in[i * Width + p];
    }
  }
}

}  // namespace

void interleave(const float* planes, std::int64_t rows, std::int64_t count, float factor, float fill, float* block) {
  switch (block_width(count)) {
    case 4:
      return interleave_rows<4>(planes, rows, count, factor, fill, block);
    case 8:
      return interleave_rows<8>(planes, rows, count, factor, fill, block);
    default:
      return interleave_rows<16>(planes, rows, count, factor, fill, block);
  }
}

void separate(const float* block, std::int64_t rows, std::int64_t count, float* planes) {
  switch (block_width(count)) {
    case 4:
      return separate_rows<4>(block, rows, count, planes);
    case 8:
      return separate_rows<8>(block, rows, count, planes);
    default:
      return separate_rows<16>(block, rows, count, planes);
  }
}

}  // namespace seedbed::kernels
