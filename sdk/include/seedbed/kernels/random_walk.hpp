#pragma once

#include <cstdint>
#include <vector>

#include <ATen/core/Tensor.h>

#include "seedbed/export.hpp"
#include "seedbed/kernels/cell_pairs.hpp"

namespace seedbed::kernels {

/// The most squarings that a walk is given: 2^12 steps leave of a map little but its average.
inline constexpr std::int64_t kMostLogSteps = 12;

/// Spreads maps by a random walk between neighbouring cells, as AffinityNet and IRN do.
///
/// The dense form: A is symmetric with a diagonal of 1 and a pair's affinity elsewhere, T = A^beta (element-wise) with each
/// column divided by its sum, and the result x T^(2^log_steps) for x [P, h w]. There T is squared `log_steps` times; here
/// the step is applied 2^log_steps times to the maps and reads neighbours alone, so neither A nor T is ever there. The two
/// agree to float rounding. Powers below 1e-12 count as 0: they change less than rounding does, and would be slow numbers.
///
/// maps_phw [P,h,w] float32; affinities_ohw [O,h,w] float32 in 0..1: plane o holds at (y, x) the affinity of the cells
/// (y, x) and (y + dy, x + dx). Values whose second cell lies outside of the map are not read; offsets have dy >= 0, and
/// no pair comes twice. 0 = no edge.
/// Ensures: [P,h,w] float32, the same bits for any number of threads; a constant map stays as it is.
/// Throws: ContractError for shapes that do not agree, other types, offsets that point up, `log_steps` outside 0 ..
///         kMostLogSteps and a `beta` that is not above 0.
/// Threads: runs on LibTorch's pool; [any-thread]. Gradient: none. Runs on the CPU.
/// Cost: h w (O + 2 P + 1) floats and their margins; 2 (2 O + 1) P h w operations a step.
SEEDBED_API at::Tensor random_walk(const at::Tensor& maps_phw, const at::Tensor& affinities_ohw,
                                   const std::vector<CellOffset>& offsets, double beta, std::int64_t log_steps);

}  // namespace seedbed::kernels
