#include <ATen/ATen.h>

#include "seedbed/checks.hpp"
#include "seedbed/error.hpp"

namespace seedbed {

struct InputGuard::Entry {
  std::string name;
  at::Tensor tensor;
  std::uint32_t version = 0;  // counts in-place changes through tensor operations
  at::Tensor copy;            // thorough: catches writes through data pointers, too
};

InputGuard::InputGuard(std::vector<std::pair<std::string, at::Tensor>> tensors, bool thorough) {
  for (auto& [name, tensor] : tensors) {
    if (!tensor.defined()) continue;
    const std::uint32_t version = tensor.is_inference() ? 0 : tensor._version();
    entries_.push_back({std::move(name), tensor, version, thorough ? tensor.detach().clone() : at::Tensor()});
  }
}

InputGuard::~InputGuard() = default;

void InputGuard::verify(std::string_view method) const {
  for (const Entry& entry : entries_) {
    const bool counted = !entry.tensor.is_inference() && entry.tensor._version() != entry.version;
    // Bytes, not values: NaN in an input is equal to itself.
    const auto bytes = [](const at::Tensor& tensor) { return tensor.detach().contiguous().flatten().view(at::kByte); };
    const bool differs = entry.copy.defined() && !at::equal(bytes(entry.tensor), bytes(entry.copy));
    if (counted || differs) {
      throw ContractError(std::string(method), "a request's tensors are left unchanged",
                          "`" + entry.name + "` as it was", "a changed `" + entry.name + "`");
    }
  }
}

}  // namespace seedbed
