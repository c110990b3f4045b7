#pragma once

#include <cstdint>
#include <string_view>

#include <ATen/core/Tensor.h>

/// The goldens' formula tensors: the same numbers in any language, from a name and a shape (goldens/formula.py).
namespace seedbed::testing {

/// Float64 in [0, 1): element i comes from FNV-1a of the name, mixed with i by SplitMix64.
at::Tensor formula_unit(std::string_view name, std::int64_t numel);

/// An input: float32(low + (high - low) unit).
at::Tensor formula_input(std::string_view name, at::IntArrayRef shape, double low = -1.0, double high = 1.0);

/// The weight of one state-dict entry; `gain` scales tensors of four dimensions.
at::Tensor formula_weight(std::string_view name, at::IntArrayRef shape, double gain = 1.0);

}  // namespace seedbed::testing
