#include <algorithm>
#include <string>

#include <ATen/ATen.h>

#include "metrics/localisation.hpp"
#include "seedbed/error.hpp"
#include "seedbed/types.hpp"

namespace seedbed::metrics {
namespace {

double lower_edge(std::size_t bin) { return static_cast<double>(bin) / 100; }

// The product only says where to look: edges are the nearest numbers to k/100.
std::size_t bin_of(double value) {
  std::size_t bin = std::min(kNumMapThresholds, static_cast<std::size_t>(value * 100));
  while (bin > 0 && value < lower_edge(bin)) --bin;
  while (bin < kNumMapThresholds && value >= lower_edge(bin + 1)) ++bin;
  return bin;
}

}  // namespace

void PixelPrecision::add(const at::Tensor& map_hw, const at::Tensor& truth_hw, std::int64_t label) {
  if (map_hw.sizes() != truth_hw.sizes() || map_hw.scalar_type() != at::kFloat || truth_hw.scalar_type() != at::kByte)
    throw ContractError("PixelPrecision", "a float32 map has the mask's size", truth_hw.toString(), map_hw.toString());
  const at::Tensor map = map_hw.contiguous(), truth = truth_hw.contiguous();
  const auto* value = map.const_data_ptr<float>();
  const auto* of_pixel = truth.const_data_ptr<std::uint8_t>();
  for (std::int64_t i = 0; i < map.numel(); ++i) {
    if (of_pixel[i] == kIgnoreLabel) continue;
    if (!(value[i] >= 0 && value[i] <= 1))
      throw UserError("", "A map holds a value outside [0,1]: `" + std::to_string(value[i]) + "`.",
                      "Maps are localised after they are normalised.");
    ++(of_pixel[i] == label ? hits_ : others_)[bin_of(static_cast<double>(value[i]))];
  }
}

PixelPrecision& PixelPrecision::operator+=(const PixelPrecision& other) {
  for (std::size_t bin = 0; bin < hits_.size(); ++bin) {
    hits_[bin] += other.hits_[bin];
    others_[bin] += other.others_[bin];
  }
  return *this;
}

PixelPrecision::Bins PixelPrecision::from_above(const Bins& bins) {
  Bins sums{};
  std::int64_t sum = 0;
  for (std::size_t i = 0; i < bins.size(); ++i) sums[i] = sum += bins[bins.size() - 1 - i];
  return sums;
}

std::optional<double> PixelPrecision::value() const {
  const Bins hits = hits_from_above(), others = others_from_above();
  const auto all_hits = static_cast<double>(hits.back());
  if (hits.back() == 0) return std::nullopt;
  double sum = 0;
  std::int64_t before = 0;
  for (std::size_t i = 0; i < hits.size(); ++i) {
    const std::int64_t above = hits[i] + others[i];
    if (above > 0)
      sum +=
          static_cast<double>(hits[i]) / static_cast<double>(above) * static_cast<double>(hits[i] - before) / all_hits;
    before = hits[i];
  }
  return sum;
}

}  // namespace seedbed::metrics
