#pragma once

#include <string>
#include <vector>

namespace seedbed::weights {

/// For each of `wanted` the one of `present` that most likely means the same tensor: the one that agrees with it in the
/// most last parts ("backbone.layer1.0.conv1.weight" for "layer1.0.conv1.weight"), else the nearest by letters, else "".
std::vector<std::string> likely_names(const std::vector<std::string>& wanted, const std::vector<std::string>& present);

}  // namespace seedbed::weights
