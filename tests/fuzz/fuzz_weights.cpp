#include <cstddef>
#include <cstdint>
#include <string_view>

#include "host/weights/read_all.hpp"
#include "seedbed/error.hpp"

// Any bytes as a weights file: tensors or a UserError, and nothing else.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    seedbed::weights::testing::read_all({reinterpret_cast<const char*>(data), size});
  } catch (const seedbed::UserError&) {
    return 0;
  }
  return 0;
}
