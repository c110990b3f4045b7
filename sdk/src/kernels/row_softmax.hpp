#pragma once

#include <cstdint>

// Only sources of this folder include it.
namespace seedbed::kernels {

/// What unused lanes hold before the softmax: no label has so little to say for itself.
constexpr float kNoLabel = -1e30f;

/// Softmax over the labels of every row, in place, where labels lie in blocks of lanes one after the other
/// (plane_blocks.hpp). Values below e^-60 of a row's largest become 0, so that no sum is ever denormal.
void row_softmax(float* blocks, std::int64_t rows, std::int64_t labels);

}  // namespace seedbed::kernels
