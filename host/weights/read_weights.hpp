#pragma once

#include <filesystem>

#include "seedbed/types.hpp"
#include "weights/weights_format.hpp"

namespace seedbed::weights {

/// Every tensor of a weights file of any format, half precision widened to float32; names as in the file, without
/// "module." before all of them (an `.npy` file holds one, named after the file). Where a file holds several sets of
/// tensors it is the model's (tensor_sets.hpp). Tensors may lie on a private mapping of the file.
/// Throws: UserError for a format that is not read, or a damaged file.
NamedTensors read_weights(const std::filesystem::path& file);

}  // namespace seedbed::weights
