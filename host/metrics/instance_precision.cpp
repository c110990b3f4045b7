#include "metrics/instance_precision.hpp"

#include <algorithm>
#include <array>
#include <functional>
#include <string>
#include <utility>

#include <ATen/ATen.h>

#include "seedbed/error.hpp"

namespace seedbed::metrics {
namespace {

constexpr std::size_t kVoid = 255;
constexpr std::size_t kNumValues = 256;

using Histogram = std::array<std::int64_t, kNumValues>;

const std::uint8_t* bytes_of(const at::Tensor& map_hw) { return map_hw.const_data_ptr<std::uint8_t>(); }

// Pixels of a mask by the object that they show.
Histogram objects_under(const at::Tensor& found_hw, const at::Tensor& instances_hw) {
  Histogram counts{};
  const bool* found = found_hw.const_data_ptr<bool>();
  const std::uint8_t* object = bytes_of(instances_hw);
  for (std::int64_t i = 0; i < instances_hw.numel(); ++i) counts[object[i]] += found[i] ? 1 : 0;
  return counts;
}

// The most frequent class under each object's pixels; 0 where there is no such object, or none of a class.
std::array<std::int64_t, kNumValues> classes_of_objects(const at::Tensor& instances_hw, const at::Tensor& mask_hw,
                                                        std::int64_t num_classes) {
  std::vector<Histogram> labels(kNumValues);
  const std::uint8_t *object = bytes_of(instances_hw), *label = bytes_of(mask_hw);
  for (std::int64_t i = 0; i < instances_hw.numel(); ++i) ++labels[object[i]][label[i]];
  std::array<std::int64_t, kNumValues> classes{};
  for (std::size_t k = 1; k < kVoid; ++k) {
    const auto first = labels[k].begin() + 1;
    const auto most = std::max_element(first, first + num_classes);
    if (*most > 0) classes[k] = most - labels[k].begin();
  }
  return classes;
}

void check_size(const at::Tensor& map_hw, const at::Tensor& instances_hw, const char* what) {
  if (map_hw.sizes() == instances_hw.sizes()) return;
  const auto size = [](const at::Tensor& map) {
    return std::to_string(map.size(0)) + " x " + std::to_string(map.size(1));
  };
  throw ContractError("InstancePrecision", std::string(what) + " have the image's size", size(instances_hw),
                      size(map_hw));
}

}  // namespace

InstancePrecision::InstancePrecision(std::int64_t num_classes, std::vector<double> iou_thresholds)
    : iou_thresholds_(std::move(iou_thresholds)), classes_(static_cast<std::size_t>(num_classes)) {
  for (const double threshold : iou_thresholds_) {
    if (threshold > 0 && threshold <= 1) continue;
    throw UserError("", "An overlap to reach is a share: `" + std::to_string(threshold) + "`.", "above 0, at most 1");
  }
}

void InstancePrecision::add(const std::vector<Instance>& found, const at::Tensor& instances_hw,
                            const at::Tensor& mask_hw) {
  check_size(mask_hw, instances_hw, "labels");
  const at::Tensor labels = mask_hw.contiguous();
  const at::Tensor objects =
      instances_hw.masked_fill(labels.eq(static_cast<int>(kVoid)), static_cast<int>(kVoid)).contiguous();
  const auto num_classes = static_cast<std::int64_t>(classes_.size());
  const auto class_of = classes_of_objects(objects, labels, num_classes);
  const Histogram area = objects_under(at::ones_like(objects, at::kBool), objects);
  std::array<std::size_t, kNumValues> number{};
  for (std::size_t k = 1; k < kVoid; ++k) {
    if (class_of[k] == 0) continue;
    std::vector<double>& overlaps = classes_[static_cast<std::size_t>(class_of[k] - 1)].best_overlaps;
    number[k] = overlaps.size();
    overlaps.push_back(0.0);
  }
  for (const Instance& instance : found) {
    check_size(instance.mask_hw, objects, "masks of objects");
    const Histogram hit = objects_under(instance.mask_hw.to(at::kCPU).contiguous(), objects);
    std::int64_t counted = 0;
    for (std::size_t k = 0; k < kVoid; ++k) counted += hit[k];
    if (counted == 0) continue;
    OfClass& of_class = classes_.at(static_cast<std::size_t>(instance.class_id - 1));
    Match match{instance.score, 0.0, std::nullopt};
    for (std::size_t k = 1; k < kVoid; ++k) {
      if (class_of[k] != instance.class_id || hit[k] == 0) continue;
      const double overlap = static_cast<double>(hit[k]) / static_cast<double>(counted + area[k] - hit[k]);
      double& best = of_class.best_overlaps[number[k]];
      best = std::max(best, overlap);
      if (overlap > match.overlap) match = {instance.score, overlap, number[k]};
    }
    of_class.matches.push_back(match);
  }
}

std::vector<std::optional<double>> InstancePrecision::average_precision(std::size_t threshold_index) const {
  const double threshold = iou_thresholds_.at(threshold_index);
  std::vector<std::optional<double>> values;
  for (const OfClass& of_class : classes_) {
    if (of_class.best_overlaps.empty()) {
      values.emplace_back();
      continue;
    }
    std::vector<Match> ranked = of_class.matches;
    std::ranges::stable_sort(ranked, std::greater<>(), &Match::score);
    std::vector<bool> taken(of_class.best_overlaps.size());
    std::vector<double> precision;  // at each hit
    std::int64_t hits = 0, seen = 0;
    for (const Match& match : ranked) {
      ++seen;
      if (!match.object || match.overlap < threshold || taken[*match.object]) continue;
      taken[*match.object] = true;
      precision.push_back(static_cast<double>(++hits) / static_cast<double>(seen));
    }
    double sum = 0, envelope = 0;
    for (auto value = precision.rbegin(); value != precision.rend(); ++value) {
      envelope = std::max(envelope, *value);
      sum += envelope;
    }
    values.emplace_back(sum / static_cast<double>(of_class.best_overlaps.size()));
  }
  return values;
}

std::vector<std::optional<double>> InstancePrecision::best_overlap() const {
  std::vector<std::optional<double>> values;
  for (const OfClass& of_class : classes_) {
    double sum = 0;
    for (const double overlap : of_class.best_overlaps) sum += overlap;
    if (of_class.best_overlaps.empty()) {
      values.emplace_back();
    } else {
      values.emplace_back(sum / static_cast<double>(of_class.best_overlaps.size()));
    }
  }
  return values;
}

std::int64_t InstancePrecision::num_objects() const {
  std::int64_t sum = 0;
  for (const OfClass& of_class : classes_) sum += std::ssize(of_class.best_overlaps);
  return sum;
}

std::int64_t InstancePrecision::num_found() const {
  std::int64_t sum = 0;
  for (const OfClass& of_class : classes_) sum += std::ssize(of_class.matches);
  return sum;
}

}  // namespace seedbed::metrics
