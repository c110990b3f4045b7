#include "deeplab_names.hpp"

#include <ATen/ATen.h>

namespace seedbed::testing {

NamedTensors starting_with(const NamedTensors& weights, const std::string& prefix) {
  NamedTensors found;
  for (const auto& [name, tensor] : weights) {
    if (name.starts_with(prefix)) found[name] = tensor;
  }
  return found;
}

NamedTensors below(const NamedTensors& weights, const std::string& prefix) {
  NamedTensors found;
  for (const auto& [name, tensor] : starting_with(weights, prefix)) found[name.substr(prefix.size())] = tensor;
  return found;
}

NamedTensors deeplab_pytorch_decoder(const NamedTensors& weights, std::int64_t num_rates) {
  NamedTensors found;
  // `from`.conv.* and `from`.bn.* as `to`.NUMBER.* and the number behind it.
  const auto take = [&](const std::string& from, const std::string& to, std::int64_t number) {
    const std::string convolution = to + "." + std::to_string(number), norm = to + "." + std::to_string(number + 1);
    for (const auto& [name, tensor] : below(weights, from + ".conv.")) found[convolution + "." + name] = tensor;
    for (const auto& [name, tensor] : below(weights, from + ".bn.")) found[norm + "." + name] = tensor;
  };
  for (std::int64_t i = 0; i <= num_rates; ++i) {
    take("aspp.stages.c" + std::to_string(i), "aspp.convs." + std::to_string(i), 0);
  }
  take("aspp.stages.imagepool.conv", "aspp.convs." + std::to_string(num_rates + 1), 1);
  take("fc1", "aspp.project", 0);
  take("reduce", "project", 0);
  take("fc2.conv1", "classifier", 0);
  take("fc2.conv2", "classifier", 3);
  for (const auto& [name, tensor] : below(weights, "fc2.conv3.")) found["classifier.6." + name] = tensor;

  at::Tensor& merging = found.at("classifier.0.weight");
  const std::int64_t early = found.at("project.0.weight").size(0);
  const std::int64_t late = merging.size(1) - early;
  merging = at::cat({merging.narrow(1, late, early), merging.narrow(1, 0, late)}, 1);
  return found;
}

}  // namespace seedbed::testing
