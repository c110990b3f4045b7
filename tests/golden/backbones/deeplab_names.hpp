#pragma once

#include <cstdint>
#include <string>

#include "seedbed/types.hpp"

/// How whole networks' weights fall to backbone and head.
namespace seedbed::testing {

/// The tensors whose names begin with `prefix`, under their names.
NamedTensors starting_with(const NamedTensors& weights, const std::string& prefix);

/// The same without the prefix.
NamedTensors below(const NamedTensors& weights, const std::string& prefix);

/// The decoder of deeplab-pytorch's DeepLabV3+ (aspp.stages.*, fc1, reduce, fc2) under the names of `deeplab_v3_plus`, whose
/// decoder gets the early tap's channels first.
NamedTensors deeplab_pytorch_decoder(const NamedTensors& weights, std::int64_t num_rates);

}  // namespace seedbed::testing
