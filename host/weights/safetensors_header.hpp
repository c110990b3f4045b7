#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

#include "weights/safetensors.hpp"

namespace seedbed::weights {

struct SafetensorsHeader {
  std::uint64_t data_begin = 0;      ///< bytes from the start of the file
  std::vector<TensorEntry> entries;  ///< in the order of the header
  Metadata metadata;
};

/// Reads and checks the header of a whole file. Throws: UserError naming `file` and, where one is to blame, the tensor.
SafetensorsHeader read_safetensors_header(std::span<const std::byte> bytes, const std::filesystem::path& file);

}  // namespace seedbed::weights
