#include <bit>
#include <cmath>
#include <limits>

#include <ATen/ATen.h>
#include <c10/util/Half.h>

#include "metrics/sweep.hpp"
#include "seedbed/error.hpp"

namespace seedbed::metrics {
namespace {

// The largest float that is not above `value`: for a float m, m > value exactly where m > this.
float floor_to_float(double value) {
  const auto nearest = static_cast<float>(value);
  return static_cast<double>(nearest) > value ? std::nextafter(nearest, -std::numeric_limits<float>::infinity())
                                              : nearest;
}

bool above_power(float value, double alpha) {
  return static_cast<double>(value) > std::pow(1.0 - static_cast<double>(value), alpha);
}

}  // namespace

// For m in [0,1], m grows and (1 - m)^alpha falls, so the answer changes once. Bits of floats in [0,1] order as they do.
float threshold_of_power(double alpha) {
  if (!(alpha > 0))
    throw UserError("", "The exponent of a background is not above 0: `" + std::to_string(alpha) + "`.", "");
  std::uint32_t background = std::bit_cast<std::uint32_t>(0.0F), foreground = std::bit_cast<std::uint32_t>(1.0F);
  while (foreground - background > 1) {
    const std::uint32_t middle = background + (foreground - background) / 2;
    (above_power(std::bit_cast<float>(middle), alpha) ? foreground : background) = middle;
  }
  return std::bit_cast<float>(background);
}

float deciding_threshold(SweptBackground background, double value, ThresholdType type) {
  if (background == SweptBackground::power) return threshold_of_power(value);
  switch (type) {
    case ThresholdType::float16:
      return static_cast<float>(c10::Half(static_cast<float>(value)));
    case ThresholdType::float32:
      return static_cast<float>(value);
    case ThresholdType::float64:
      break;
  }
  return floor_to_float(value);
}

at::Tensor label_above(const at::Tensor& maps_phw, const std::vector<std::int64_t>& planes, float threshold) {
  const std::int64_t num_pixels = maps_phw.size(1) * maps_phw.size(2);
  if (maps_phw.scalar_type() != at::kFloat || maps_phw.size(0) != std::ssize(planes))
    throw ContractError("label_above", "maps are float32, one for each plane", std::to_string(planes.size()),
                        maps_phw.toString());
  const at::Tensor maps = maps_phw.contiguous();
  at::Tensor labels = at::zeros({maps.size(1), maps.size(2)}, at::kByte);
  const auto* score = maps.const_data_ptr<float>();
  auto* label = labels.mutable_data_ptr<std::uint8_t>();
  std::vector<float> best(static_cast<std::size_t>(num_pixels), threshold);
  for (std::size_t plane = 0; plane < planes.size(); ++plane, score += num_pixels)
    for (std::int64_t i = 0; i < num_pixels; ++i)
      if (score[i] > best[static_cast<std::size_t>(i)]) {
        best[static_cast<std::size_t>(i)] = score[i];
        label[i] = static_cast<std::uint8_t>(planes[plane]);
      }
  return labels;
}

}  // namespace seedbed::metrics
