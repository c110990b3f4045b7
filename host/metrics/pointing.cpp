#include "metrics/pointing.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>

#include <ATen/ATen.h>

#include "metrics/confusion.hpp"
#include "seedbed/error.hpp"
#include "seedbed/types.hpp"

namespace seedbed::metrics {
namespace {

void require_map(const char* who, const at::Tensor& map_hw) {
  if (map_hw.dim() == 2 && map_hw.numel() > 0 && map_hw.is_floating_point()) return;
  throw ContractError(who, "a map is [H,W], floating and not empty", "[H,W]", map_hw.toString());
}

void require_truth(const char* who, const at::Tensor& truth_hw) {
  if (truth_hw.dim() == 2 && truth_hw.scalar_type() == at::kByte) return;
  throw ContractError(who, "truth is a label map", "[H,W] uint8", truth_hw.toString());
}

}  // namespace

Point largest_at(const at::Tensor& map_hw) {
  require_map("largest_at", map_hw);
  const at::Tensor map = map_hw.to(at::kDouble).contiguous();
  const auto* value = map.const_data_ptr<double>();
  const std::int64_t index = std::max_element(value, value + map.numel()) - value;
  return {index / map.size(1), index % map.size(1)};
}

bool points_at(const at::Tensor& truth_hw, std::int64_t label, const Point& point, double tolerance_px) {
  require_truth("points_at", truth_hw);
  const at::Tensor truth = truth_hw.contiguous();
  const std::int64_t height = truth.size(0), width = truth.size(1);
  const auto* of_pixel = truth.const_data_ptr<std::uint8_t>();
  const auto reach = static_cast<std::int64_t>(std::ceil(tolerance_px));
  for (std::int64_t y = std::max<std::int64_t>(0, point.row - reach); y < std::min(height, point.row + reach + 1); ++y)
    for (std::int64_t x = std::max<std::int64_t>(0, point.column - reach);
         x < std::min(width, point.column + reach + 1); ++x) {
      const std::int64_t dy = y - point.row, dx = x - point.column;
      if (of_pixel[y * width + x] == label && static_cast<double>(dy * dy + dx * dx) < tolerance_px * tolerance_px)
        return true;
    }
  return false;
}

std::optional<double> energy_inside(const at::Tensor& map_hw, const at::Tensor& truth_hw, std::int64_t label,
                                    bool leave_out_void) {
  require_map("energy_inside", map_hw);
  require_truth("energy_inside", truth_hw);
  if (map_hw.sizes() != truth_hw.sizes())
    throw ContractError("energy_inside", "a map has the mask's size", truth_hw.toString(), map_hw.toString());
  const at::Tensor map = map_hw.to(at::kDouble).contiguous(), truth = truth_hw.contiguous();
  const auto* value = map.const_data_ptr<double>();
  const auto* of_pixel = truth.const_data_ptr<std::uint8_t>();
  double inside = 0, all = 0;
  for (std::int64_t i = 0; i < map.numel(); ++i) {
    if (!(value[i] > 0) || (leave_out_void && of_pixel[i] == kIgnoreLabel)) continue;
    all += value[i];
    if (of_pixel[i] == label) inside += value[i];
  }
  if (all == 0) return std::nullopt;
  return inside / all;
}

PointingGame& PointingGame::operator+=(const PointingGame& other) {
  for (std::size_t label = 0; label < hits_.size(); ++label) {
    hits_[label] += other.hits_.at(label);
    misses_[label] += other.misses_.at(label);
  }
  return *this;
}

std::vector<std::optional<double>> PointingGame::accuracy() const {
  std::vector<std::optional<double>> values(hits_.size());
  for (std::size_t label = 0; label < values.size(); ++label) {
    const std::int64_t asked = hits_[label] + misses_[label];
    if (asked > 0) values[label] = static_cast<double>(hits_[label]) / static_cast<double>(asked);
  }
  return values;
}

std::optional<double> PointingGame::mean_seen() const { return mean_defined(accuracy()); }

double PointingGame::mean_all() const {
  double sum = 0;
  for (const auto& value : accuracy()) sum += value.value_or(0);
  return sum / static_cast<double>(hits_.size());
}

std::optional<double> PointingGame::mean_all_classes() const {
  if (hits_.size() < 2) return std::nullopt;
  double sum = 0;
  const auto values = accuracy();
  for (std::size_t label = 1; label < values.size(); ++label) sum += values[label].value_or(0);
  return sum / static_cast<double>(values.size() - 1);
}

std::optional<double> PointingGame::pooled() const {
  const std::int64_t hits = std::accumulate(hits_.begin(), hits_.end(), std::int64_t{0});
  const std::int64_t asked = std::accumulate(misses_.begin(), misses_.end(), hits);
  if (asked == 0) return std::nullopt;
  return static_cast<double>(hits) / static_cast<double>(asked);
}

}  // namespace seedbed::metrics
