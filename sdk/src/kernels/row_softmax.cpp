#include "row_softmax.hpp"

#include <cstring>
#include <utility>

#include "plane_blocks.hpp"
#include "vector_lanes.hpp"

namespace seedbed::kernels {
namespace {

using Ints [[gnu::vector_size(kLanes * sizeof(std::int32_t))]] = std::int32_t;

/// exp of values in [-60, 0]; 0 below. Cody and Waite's reduction by ln 2 in two parts and Taylor's polynomial of degree 6
/// on |r| <= ln 2 / 2: relative error below 2e-7.
[[gnu::always_inline]] inline Lanes exponential(const Lanes& x) {
  constexpr float kRounder = 12582912.0f;  // 1.5 * 2^23
  const Lanes floor_at = x > -60.0f ? x : Lanes{} - 60.0f;
  const Lanes power = (floor_at * 1.44269504f + kRounder) - kRounder;
  const Lanes r = (floor_at - power * 0.693359375f) - power * -2.12194440e-4f;
  Lanes sum = r * (1.0f / 720.0f) + 1.0f / 120.0f;
  sum = sum * r + 1.0f / 24.0f;
  sum = sum * r + 1.0f / 6.0f;
  sum = sum * r + 0.5f;
  sum = sum * r + 1.0f;
  sum = sum * r + 1.0f;
  const Ints exponent = (__builtin_convertvector(power, Ints) + 127) << 23;
  Lanes scale;
  std::memcpy(&scale, &exponent, sizeof scale);
  return x > -60.0f ? sum * scale : Lanes{};
}

template <int Step, int... I>
[[gnu::always_inline]] inline Lanes exchanged(const Lanes& lanes, std::integer_sequence<int, I...>) {
  return __builtin_shufflevector(lanes, lanes, (I ^ Step)...);
}

/// Every lane its group's sum, or maximum. Groups of `Group` lanes.
template <int Group>
[[gnu::always_inline]] inline Lanes group_sum(Lanes lanes) {
  constexpr auto all = std::make_integer_sequence<int, kLanes>();
  if constexpr (Group > 1) lanes += exchanged<1>(lanes, all);
  if constexpr (Group > 2) lanes += exchanged<2>(lanes, all);
  if constexpr (Group > 4) lanes += exchanged<4>(lanes, all);
  if constexpr (Group > 8) lanes += exchanged<8>(lanes, all);
  return lanes;
}

[[gnu::always_inline]] inline Lanes larger(const Lanes& a, const Lanes& b) { return a > b ? a : b; }

template <int Group>
[[gnu::always_inline]] inline Lanes group_largest(Lanes lanes) {
  constexpr auto all = std::make_integer_sequence<int, kLanes>();
  if constexpr (Group > 1) lanes = larger(lanes, exchanged<1>(lanes, all));
  if constexpr (Group > 2) lanes = larger(lanes, exchanged<2>(lanes, all));
  if constexpr (Group > 4) lanes = larger(lanes, exchanged<4>(lanes, all));
  if constexpr (Group > 8) lanes = larger(lanes, exchanged<8>(lanes, all));
  return lanes;
}

/// Labels that fit one block: rows of `Width` lanes, sixteen lanes at once.
template <int Width>
[[gnu::always_inline]] inline void narrow(float* block, std::int64_t rows) {
  const std::int64_t size = rows * Width, whole = size / kLanes * kLanes;
  for (std::int64_t at = 0; at < whole; at += kLanes) {
    const Lanes logits = load(block + at);
    const Lanes values = exponential(logits - group_largest<Width>(logits));
    store(block + at, values / group_sum<Width>(values));
  }
  if (whole == size) return;
  Lanes logits{};
  std::memcpy(&logits, block + whole, static_cast<std::size_t>(size - whole) * sizeof(float));
  Lanes values = exponential(logits - group_largest<Width>(logits));
  values = values / group_sum<Width>(values);
  std::memcpy(block + whole, &values, static_cast<std::size_t>(size - whole) * sizeof(float));
}

/// A row of the last block, repeated until it fills sixteen lanes.
template <int Width, int... I>
[[gnu::always_inline]] inline Lanes repeated(const float* from, std::integer_sequence<int, I...>) {
  using Part [[gnu::vector_size(Width * sizeof(float))]] = float;
  Part part;
  std::memcpy(&part, from, sizeof part);
  return __builtin_shufflevector(part, part, (I % Width)...);
}

/// `full` blocks of sixteen lanes and, unless `Last` is 0, one of `Last`.
template <int Last>
[[gnu::always_inline]] inline void wide(float* blocks, std::int64_t rows, std::int64_t full) {
  constexpr auto all = std::make_integer_sequence<int, kLanes>();
  const std::int64_t step = rows * kLanes;
  float* last = blocks + full * step;
  for (std::int64_t i = 0; i < rows; ++i) {
    float* row = blocks + i * kLanes;
    Lanes largest = load(row);
    for (std::int64_t b = 1; b < full; ++b) largest = larger(largest, load(row + b * step));
    Lanes tail{};
    if constexpr (Last > 0) {
      tail = repeated<Last>(last + i * Last, all);
      largest = larger(largest, tail);
    }
    largest = group_largest<kLanes>(largest);
    Lanes sum{};
    for (std::int64_t b = 0; b < full; ++b) {
      const Lanes values = exponential(load(row + b * step) - largest);
      store(row + b * step, values);
      sum += values;
    }
    sum = group_sum<kLanes>(sum);
    if constexpr (Last > 0) {
      tail = exponential(tail - largest);
      sum += group_sum<Last>(tail);
    }
    const Lanes factor = 1.0f / sum;
    for (std::int64_t b = 0; b < full; ++b) store(row + b * step, load(row + b * step) * factor);
    if constexpr (Last > 0) {
      tail *= factor;
      std::memcpy(last + i * Last, &tail, Last * sizeof(float));
    }
  }
}

SEEDBED_FOR_EACH_PROCESSOR
void softmax_blocks(float* blocks, std::int64_t rows, std::int64_t full, std::int64_t last) {
  if (full == 0) {
    if (last == 4) return narrow<4>(blocks, rows);
    return narrow<8>(blocks, rows);
  }
  if (full == 1 && last == 0) return narrow<16>(blocks, rows);
  if (last == 0) return wide<0>(blocks, rows, full);
  if (last == 4) return wide<4>(blocks, rows, full);
  wide<8>(blocks, rows, full);
}

}  // namespace

void row_softmax(float* blocks, std::int64_t rows, std::int64_t labels) {
  // A last block of sixteen lanes is one more full one.
  const std::int64_t lanes = blocks_width(labels);
  softmax_blocks(blocks, rows, lanes / kLanes, lanes % kLanes);
}

}  // namespace seedbed::kernels
