#pragma once

#include <string_view>

#include <ATen/ATen.h>

#include "host/weights/memory_file.hpp"
#include "weights/weights_file.hpp"

namespace seedbed::weights::testing {

/// Reads the content of a file, and touches every value, so that a tensor beyond its memory is noticed.
/// Throws: UserError where the content is refused.
inline void read_all(std::string_view content) {
  const MemoryFile file(content);
  for (const auto& [name, tensor] : read_weights_file(file.path(), {.set = {}, .widen = true}).tensors) {
    at::view_as_real(tensor.to(at::kComplexDouble)).sum().item<double>();
  }
}

}  // namespace seedbed::weights::testing
