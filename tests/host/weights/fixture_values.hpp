#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include <ATen/ATen.h>

/// What make_fixtures.py writes.
namespace seedbed::weights::testing {

inline std::filesystem::path fixture(std::string_view name) {
  return std::filesystem::path("tests/host/weights/fixtures") / name;
}

/// Element i of the n-th tensor of a file: n + i / 4, cut to the type; bools are odd i.
inline at::Tensor ramp(double n, at::IntArrayRef shape, at::ScalarType type = at::kFloat) {
  std::int64_t count = 1;
  for (const std::int64_t size : shape) count *= size;
  const at::Tensor index = at::arange(count, at::kDouble);
  if (type == at::kBool) return index.remainder(2).to(at::kBool).reshape(shape);
  return (n + index / 4).to(type).reshape(shape);
}

}  // namespace seedbed::weights::testing
