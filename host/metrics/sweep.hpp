#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include <ATen/core/Tensor.h>

#include "metrics/confusion.hpp"

namespace seedbed::metrics {

/// How maps without a background plane are compared with a background.
enum class SweptBackground {
  constant,  ///< value t: foreground where max > t
  power      ///< value alpha: foreground where max > (1 - max)^alpha
};

/// In which type a constant is compared; the numbers differ wherever maps are quantised.
enum class ThresholdType { float16, float32, float64 };

/// The largest float t such that `max` is background for every max <= t, and foreground above: the power rule as a
/// constant one, exactly as comparing in float64 decides it.
float threshold_of_power(double alpha);

/// Labels of one image: the first largest plane where it exceeds `threshold`, else 0. [P,H,W] float32 (P may be 0)
/// -> [H,W] uint8. `size` gives H and W where P is 0. The same comparison as the sweep's.
/// Threads: [any-thread].
at::Tensor label_above(const at::Tensor& maps_phw, const std::vector<std::int64_t>& planes, float threshold);

/// The float that decides as `value` does under this background and type.
float deciding_threshold(SweptBackground background, double value, ThresholdType type = ThresholdType::float32);

/// What one image adds, for the labels that can be predicted in it only: 0 and its planes.
struct ImageSweep {
  std::vector<std::int64_t> labels;         ///< L: 0, then the planes
  std::vector<std::uint32_t> intersection;  ///< [T, L]
  std::vector<std::uint32_t> predicted;     ///< [T, L]
  std::vector<std::uint32_t> truth;         ///< [K]
  std::size_t num_values = 0;               ///< T

  /// At value number `index`.
  LabelCounts counts(std::size_t index) const;
};

/// Scores every value in one pass over the pixels; equal to one evaluation a value, to the last count.
///
/// Threads: count() is [any-thread]; add() [one-at-a-time].
class Sweep {
 public:
  /// Requires: at least one value, strictly increasing. Throws: UserError otherwise.
  Sweep(std::int64_t num_labels, SweptBackground background, std::vector<double> values,
        ThresholdType type = ThresholdType::float32);

  /// Counts of one image. Requires: maps_phw [P,H,W] float32 at the mask's size; planes P labels in 1..K-1, strictly
  /// increasing; truth_hw [H,W] uint8 (255 is not counted).
  ImageSweep count(const at::Tensor& maps_phw, const std::vector<std::int64_t>& planes,
                   const at::Tensor& truth_hw) const;

  void add(const ImageSweep& image);

  const std::vector<double>& values() const { return values_; }

  /// Sums over the images added so far, at value number `index`.
  const LabelCounts& counts(std::size_t index) const { return sums_.at(index); }

  /// Sums as [T,K] int64.
  at::Tensor intersection_tk() const { return stacked(&LabelCounts::intersection); }
  at::Tensor predicted_tk() const { return stacked(&LabelCounts::predicted); }
  at::Tensor truth_tk() const { return stacked(&LabelCounts::truth); }

  /// A mean IoU for each value; undefined ones are 0.
  std::vector<double> mean_iou_curve(MeanOver over) const;

 private:
  at::Tensor stacked(std::vector<std::int64_t> LabelCounts::*part) const;
  std::size_t num_below(float value) const;
  std::size_t cell_of(float value) const;
  std::size_t threshold_index(std::size_t index) const;
  std::vector<std::uint32_t> histogram(const at::Tensor& maps_phw, const std::vector<std::int64_t>& planes,
                                       const at::Tensor& truth_hw) const;
  void check(const at::Tensor& maps_phw, const std::vector<std::int64_t>& planes, const at::Tensor& truth_hw) const;

  std::int64_t num_labels_;
  std::vector<double> values_;
  bool descending_;                ///< thresholds fall while values rise (power)
  std::vector<float> thresholds_;  ///< ascending
  float cells_per_unit_ = 0;
  std::vector<std::uint16_t> first_of_cell_;  ///< thresholds below a cell of a regular grid: where the search starts
  std::vector<LabelCounts> sums_;             ///< one a value
};

/// from, from + step ... to (both ends, within half a step): k-th value is from + k * step.
std::vector<double> sweep_values(double from, double to, double step);

/// The first largest; 0 of an empty curve is a ContractError.
std::size_t best_index(const std::vector<double>& curve);

}  // namespace seedbed::metrics
