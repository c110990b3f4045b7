#pragma once

#include <filesystem>

#include <ATen/core/Tensor.h>

namespace seedbed::weights {

/// Reads a NumPy `.npy` file (versions 1 to 3, little-endian numbers and bool, C or Fortran order). Object arrays are
/// refused. Throws: UserError naming the file.
at::Tensor read_npy(const std::filesystem::path& file);

}  // namespace seedbed::weights
