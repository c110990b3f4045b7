#pragma once

#include <cstdint>

// Planes [P][n] cut into blocks of up to sixteen, each stored [n][width] so that one row of a block is a vector.
// Only sources of this folder include it.
namespace seedbed::kernels {

/// Lanes of the next block: 16, or the 4 or 8 that the last planes fit in.
constexpr std::int64_t block_width(std::int64_t planes_left) { return planes_left > 8 ? 16 : planes_left > 4 ? 8 : 4; }

/// Lanes of all blocks of `planes` planes.
constexpr std::int64_t blocks_width(std::int64_t planes) {
  return planes / 16 * 16 + (planes % 16 == 0 ? 0 : block_width(planes % 16));
}

/// The first `count` planes ([count][rows]) times `factor` as a block, the other lanes filled.
void interleave(const float* planes, std::int64_t rows, std::int64_t count, float factor, float fill, float* block);

/// The first `count` planes of a block.
void separate(const float* block, std::int64_t rows, std::int64_t count, float* planes);

}  // namespace seedbed::kernels
