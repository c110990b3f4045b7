#include "metrics/sweep.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <string>
#include <utility>

#include <ATen/ATen.h>

#include "seedbed/error.hpp"

namespace seedbed::metrics {
namespace {

constexpr std::size_t kNumCells = 2048;
constexpr std::int64_t kBlock = 512;  ///< pixels whose largest planes are found together, in first-level cache

// Where a pixel stands in the histogram by its true label: not counted, background, one of the planes, another class.
// Counters lie as [code][plane][number of thresholds below the pixel's largest value].
struct HistogramLayout {
  HistogramLayout(const std::vector<std::int64_t>& planes, std::int64_t num_labels, std::size_t num_thresholds)
      : num_planes(planes.size()), num_bins(num_thresholds + 1) {
    for (std::int64_t label = 0; label < num_labels; ++label) code_of_truth[static_cast<std::size_t>(label)] = other();
    code_of_truth[0] = 1;
    for (std::size_t plane = 0; plane < num_planes; ++plane)
      code_of_truth[static_cast<std::size_t>(planes[plane])] = code_of_plane(plane);
  }

  std::uint16_t code_of_plane(std::size_t plane) const { return static_cast<std::uint16_t>(2 + plane); }
  std::uint16_t other() const { return static_cast<std::uint16_t>(2 + num_planes); }
  std::size_t row(std::size_t code, std::size_t plane) const { return (code * num_planes + plane) * num_bins; }
  std::size_t size() const { return row(other() + 1U, 0); }

  std::size_t num_planes;
  std::size_t num_bins;
  std::array<std::uint16_t, 256> code_of_truth{};  ///< 0 = not counted
};

// The first largest plane of each pixel of a block.
void largest_planes(const float* scores, std::int64_t plane_stride, std::size_t num_planes, std::int64_t count,
                    float* best, std::uint32_t* plane_of) {
  std::copy_n(scores, count, best);
  std::fill_n(plane_of, count, 0U);
  for (std::uint32_t plane = 1; plane < num_planes; ++plane) {
    scores += plane_stride;
#pragma omp simd
    for (std::int64_t i = 0; i < count; ++i) {
      const float score = scores[i], largest = best[i];
      const std::uint32_t larger = score > largest ? ~0U : 0U;  // a mask: the compiler then keeps branches out
      best[i] = std::max(largest, score);
      plane_of[i] = (plane & larger) | (plane_of[i] & ~larger);
    }
  }
}

std::vector<std::uint32_t> count_labels(const at::Tensor& truth_hw, std::int64_t num_labels) {
  std::array<std::array<std::uint32_t, 256>, 4> tables{};  // four, so that runs of a label do not wait for memory
  const auto* label = truth_hw.const_data_ptr<std::uint8_t>();
  for (std::int64_t i = 0; i < truth_hw.numel(); ++i) ++tables[static_cast<std::size_t>(i % 4)][label[i]];
  std::vector<std::uint32_t> counts(static_cast<std::size_t>(num_labels));
  for (std::size_t k = 0; k < counts.size(); ++k) counts[k] = tables[0][k] + tables[1][k] + tables[2][k] + tables[3][k];
  return counts;
}

}  // namespace

LabelCounts ImageSweep::counts(std::size_t index) const {
  LabelCounts counts(std::ssize(truth));
  std::ranges::copy(truth, counts.truth.begin());
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const auto label = static_cast<std::size_t>(labels[i]);
    counts.intersection[label] = intersection[index * labels.size() + i];
    counts.predicted[label] = predicted[index * labels.size() + i];
  }
  return counts;
}

Sweep::Sweep(std::int64_t num_labels, SweptBackground background, std::vector<double> values, ThresholdType type)
    : num_labels_(num_labels),
      values_(std::move(values)),
      descending_(background == SweptBackground::power),
      sums_(values_.size(), LabelCounts(num_labels)) {
  if (values_.empty() || values_.size() > 60000 ||
      std::ranges::adjacent_find(values_, std::greater_equal()) != values_.end())
    throw UserError("", "The values of a sweep are not strictly increasing, or there are none.",
                    "`from` lies below `to`, and `step` above 0.");
  for (double value : values_) thresholds_.push_back(deciding_threshold(background, value, type));
  if (descending_) std::ranges::reverse(thresholds_);
  const float range = thresholds_.back() - thresholds_.front();
  cells_per_unit_ = range > 0 ? static_cast<float>(kNumCells - 1) / range : 0;
  first_of_cell_.assign(kNumCells + 1, 0);
  for (float threshold : thresholds_) ++first_of_cell_[cell_of(threshold) + 1];
  for (std::size_t cell = 1; cell <= kNumCells; ++cell)
    first_of_cell_[cell] = static_cast<std::uint16_t>(first_of_cell_[cell] + first_of_cell_[cell - 1]);
}

std::size_t Sweep::cell_of(float value) const {
  return std::min(kNumCells - 1, static_cast<std::size_t>((value - thresholds_.front()) * cells_per_unit_));
}

// The grid only says where to start: a larger value never has a smaller cell, so the thresholds of earlier cells are
// below. The comparison decides.
std::size_t Sweep::num_below(float value) const {
  if (!(value > thresholds_.front())) return 0;
  if (value > thresholds_.back()) return thresholds_.size();
  std::size_t count = first_of_cell_[cell_of(value)];
  while (thresholds_[count] < value) ++count;
  return count;
}

std::size_t Sweep::threshold_index(std::size_t index) const {
  return descending_ ? thresholds_.size() - 1 - index : index;
}

void Sweep::check(const at::Tensor& maps_phw, const std::vector<std::int64_t>& planes,
                  const at::Tensor& truth_hw) const {
  const bool shapes =
      maps_phw.dim() == 3 && maps_phw.size(0) == std::ssize(planes) && maps_phw.sizes().slice(1) == truth_hw.sizes();
  const bool labels = std::ranges::all_of(planes, [&](std::int64_t p) { return p >= 1 && p < num_labels_; }) &&
                      std::ranges::adjacent_find(planes, std::greater_equal()) == planes.end();
  if (!shapes || !labels || maps_phw.scalar_type() != at::kFloat || truth_hw.scalar_type() != at::kByte)
    throw ContractError("Sweep", "maps have the mask's size and a plane for each class, none for the background",
                        truth_hw.toString(), maps_phw.toString());
}

std::vector<std::uint32_t> Sweep::histogram(const at::Tensor& maps_phw, const std::vector<std::int64_t>& planes,
                                            const at::Tensor& truth_hw) const {
  const HistogramLayout layout(planes, num_labels_, thresholds_.size());
  std::vector<std::uint32_t> counts(layout.size());
  if (planes.empty()) return counts;
  const auto* score = maps_phw.const_data_ptr<float>();
  const auto* truth = truth_hw.const_data_ptr<std::uint8_t>();
  const std::int64_t num_pixels = truth_hw.numel();
  std::array<float, kBlock> best;
  std::array<std::uint32_t, kBlock> plane_of;
  for (std::int64_t begin = 0; begin < num_pixels; begin += kBlock) {
    const std::int64_t count = std::min(kBlock, num_pixels - begin);
    largest_planes(score + begin, num_pixels, planes.size(), count, best.data(), plane_of.data());
    for (std::int64_t i = 0; i < count; ++i) {
      const auto k = static_cast<std::size_t>(i);
      ++counts[layout.row(layout.code_of_truth[truth[begin + i]], plane_of[k]) + num_below(best[k])];
    }
  }
  return counts;
}

ImageSweep Sweep::count(const at::Tensor& maps_phw, const std::vector<std::int64_t>& planes,
                        const at::Tensor& truth_hw) const {
  check(maps_phw, planes, truth_hw);
  const at::Tensor truth = truth_hw.contiguous();
  const std::vector<std::uint32_t> histogram_counts = histogram(maps_phw.contiguous(), planes, truth);
  const HistogramLayout layout(planes, num_labels_, thresholds_.size());
  ImageSweep image{{0}, {}, {}, count_labels(truth, num_labels_), thresholds_.size()};
  image.labels.insert(image.labels.end(), planes.begin(), planes.end());
  const std::size_t num_labels = image.labels.size();
  image.intersection.resize(thresholds_.size() * num_labels);
  image.predicted.resize(thresholds_.size() * num_labels);

  std::uint32_t counted = 0;
  for (std::uint32_t pixels : image.truth) counted += pixels;
  std::vector<std::uint32_t> hits(planes.size()), predicted(planes.size());
  std::uint32_t foreground = 0, missed_background = 0;
  // From the highest threshold down, pixels join the foreground: those that have more than `t` thresholds below them.
  for (std::size_t t = thresholds_.size(); t-- > 0;) {
    const std::size_t row = threshold_index(t) * num_labels;
    for (std::size_t plane = 0; plane < planes.size(); ++plane) {
      const auto joining = [&](std::size_t code) { return histogram_counts[layout.row(code, plane) + t + 1]; };
      std::uint32_t all = 0;
      for (std::size_t code = 1; code <= layout.other(); ++code) all += joining(code);
      foreground += all;
      missed_background += joining(1);
      image.intersection[row + 1 + plane] = hits[plane] += joining(layout.code_of_plane(plane));
      image.predicted[row + 1 + plane] = predicted[plane] += all;
    }
    image.intersection[row] = image.truth[0] - missed_background;
    image.predicted[row] = counted - foreground;
  }
  return image;
}

void Sweep::add(const ImageSweep& image) {
  for (std::size_t index = 0; index < values_.size(); ++index) {
    LabelCounts& sum = sums_[index];
    for (std::size_t i = 0; i < image.labels.size(); ++i) {
      const auto label = static_cast<std::size_t>(image.labels[i]);
      sum.intersection[label] += image.intersection[index * image.labels.size() + i];
      sum.predicted[label] += image.predicted[index * image.labels.size() + i];
    }
    for (std::size_t k = 0; k < image.truth.size(); ++k) sum.truth[k] += image.truth[k];
  }
}

at::Tensor Sweep::stacked(std::vector<std::int64_t> LabelCounts::*part) const {
  at::Tensor tensor = at::empty({std::ssize(values_), num_labels_}, at::kLong);
  auto* out = tensor.mutable_data_ptr<std::int64_t>();
  for (const LabelCounts& counts : sums_) out = std::ranges::copy(counts.*part, out).out;
  return tensor;
}

std::vector<double> Sweep::mean_iou_curve(MeanOver over) const {
  std::vector<double> curve;
  for (const LabelCounts& counts : sums_) curve.push_back(mean_iou(counts, over).value_or(0));
  return curve;
}

std::vector<double> sweep_values(double from, double to, double step) {
  if (!(step > 0) || !(to >= from) || (to - from) / step > 10000)
    throw UserError("",
                    "The values of a sweep are malformed: `from = " + std::to_string(from) +
                        ", to = " + std::to_string(to) + ", step = " + std::to_string(step) + "`.",
                    "`from` is at most `to`, `step` is above 0, and at most 10000 values are swept.");
  const auto count = static_cast<std::int64_t>(std::floor((to - from) / step + 0.5)) + 1;
  // Steps like 0.01 stand for 1/100: dividing gives the nearest number to k/100, adding up would drift away.
  const double parts = std::round(1 / step);
  const bool is_fraction =
      std::abs(parts * step - 1) < 1e-9 && std::abs(from * parts - std::round(from * parts)) < 1e-9;
  std::vector<double> values;
  for (std::int64_t k = 0; k < count; ++k) {
    const auto index = static_cast<double>(k);
    values.push_back(is_fraction ? (std::round(from * parts) + index) / parts : from + index * step);
  }
  return values;
}

std::size_t best_index(const std::vector<double>& curve) {
  if (curve.empty()) throw ContractError("best_index", "a curve has values", "at least one", "none");
  return static_cast<std::size_t>(std::ranges::max_element(curve) - curve.begin());
}

}  // namespace seedbed::metrics
