#pragma once

#include <filesystem>
#include <string>

#include "seedbed/types.hpp"

namespace seedbed::weights {

enum class WeightsFormat { safetensors, npy, pytorch_zip, pytorch_legacy, unknown };

std::string_view name_of(WeightsFormat format);

/// Told from the first bytes, not from the name. Throws: UserError where the file cannot be read.
WeightsFormat format_of(const std::filesystem::path& file);

/// Every tensor of a weights file, half precision widened to float32; names as in the file (an `.npy` file holds one,
/// named after the file). Tensors may lie on a private mapping of the file.
/// Throws: UserError for a format that is not read, or a damaged file.
NamedTensors read_weights(const std::filesystem::path& file);

}  // namespace seedbed::weights
