#pragma once

#include <filesystem>

#include <ATen/core/Tensor.h>

namespace seedbed::weights {

/// Reads a NumPy `.npy` file (versions 1 to 3, little-endian numbers and bool, C or Fortran order). Object arrays are
/// refused. Throws: UserError naming the file.
at::Tensor read_npy(const std::filesystem::path& file);

/// Writes numbers (or bools) as a version 1 file in C order. Throws: UserError where the file cannot be written.
void write_npy(const std::filesystem::path& file, const at::Tensor& values);

}  // namespace seedbed::weights
