#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "weights/byte_block.hpp"

namespace seedbed::weights {

enum class WeightsFormat {
  safetensors,
  pytorch_zip,     ///< torch.save since 1.6
  pytorch_legacy,  ///< torch.save before 1.6
  torchscript,     ///< torch.jit.save; tensors only
  npy,
  npy_objects,  ///< a dictionary saved by numpy.save
  pickle,       ///< of NumPy arrays
  gzip,         ///< of one of the pickled formats
  unknown
};

std::string_view name_of(WeightsFormat format);

/// Told from the content, not from the name; `where` is what messages call the file.
/// Throws: UserError where a zip archive or a NumPy header is damaged.
WeightsFormat format_of(const ByteBlock& file, const std::string& where);
WeightsFormat format_of(const std::filesystem::path& file);

}  // namespace seedbed::weights
