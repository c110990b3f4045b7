#include "support/formula_tensors.hpp"

#include <cmath>

#include <ATen/ATen.h>

namespace seedbed::testing {
namespace {

std::uint64_t fnv1a64(std::string_view name) {
  std::uint64_t hash = 0xCBF29CE484222325;
  for (const char letter : name) hash = (hash ^ static_cast<unsigned char>(letter)) * 0x100000001B3;
  return hash;
}

}  // namespace

at::Tensor formula_unit(std::string_view name, std::int64_t numel) {
  at::Tensor values = at::empty({numel}, at::kDouble);
  double* data = values.mutable_data_ptr<double>();
  std::uint64_t state = fnv1a64(name);
  for (std::int64_t i = 0; i < numel; ++i) {
    std::uint64_t z = state += 0x9E3779B97F4A7C15;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
    z ^= z >> 31;
    data[i] = std::ldexp(static_cast<double>(z >> 11), -53);
  }
  return values;
}

at::Tensor formula_input(std::string_view name, at::IntArrayRef shape, double low, double high) {
  return (formula_unit(name, c10::multiply_integers(shape)) * (high - low) + low).to(at::kFloat).reshape(shape);
}

at::Tensor formula_weight(std::string_view name, at::IntArrayRef shape, double gain) {
  if (name.ends_with("num_batches_tracked")) return at::zeros(shape, at::kLong);
  if (shape.empty()) return at::full({}, 2.6592600369327783, at::kFloat);  // ln(1 / 0.07), CLIP's logit scale
  const std::int64_t numel = c10::multiply_integers(shape);
  const at::Tensor v = formula_unit(name, numel) * 2.0 - 1.0;
  const double fan_in = static_cast<double>(numel / shape[0]);
  at::Tensor value;
  if (name.ends_with("running_mean")) {
    value = v * 0.1;
  } else if (name.ends_with("running_var")) {
    value = v * 0.5 + 1.0;
  } else if (shape.size() == 1) {
    value = name.ends_with("weight") ? v * 0.1 + 1.0 : v * 0.1;
  } else if (shape.size() == 3) {
    value = v * 0.5;
  } else if (shape.size() == 4) {
    value = v * (gain * std::sqrt(6.0 / fan_in));
  } else {
    value = v * std::sqrt(3.0 / fan_in);
  }
  return value.to(at::kFloat).reshape(shape);
}

}  // namespace seedbed::testing
