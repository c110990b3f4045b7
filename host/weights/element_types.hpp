#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include <c10/core/ScalarType.h>

namespace seedbed::weights {

/// LibTorch's type for safetensors' name of it; nullopt for a name that the format does not have.
std::optional<at::ScalarType> element_type_from(std::string_view name);

/// nullopt for a type that the format does not have.
std::optional<std::string_view> element_type_name(at::ScalarType type);

}  // namespace seedbed::weights
