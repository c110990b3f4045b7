#include "weights/read_weights.hpp"

#include <utility>

#include "weights/weights_file.hpp"

namespace seedbed::weights {

NamedTensors read_weights(const std::filesystem::path& file) {
  WeightsFile opened = read_weights_file(file, {.set = {}, .widen = true});
  NamedTensors tensors;
  for (auto& [name, tensor] : opened.tensors) tensors.insert_or_assign(name, std::move(tensor));
  return tensors;
}

}  // namespace seedbed::weights
