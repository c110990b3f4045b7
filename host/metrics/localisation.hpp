#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include <ATen/core/Tensor.h>

// Localisation by a class's map, as Choe et al. measure it ("Evaluating Weakly Supervised Object Localization Methods
// Right", CVPR 2020; version 2: TPAMI 2022). Maps are [H,W] float32 in [0,1] and widened to float64; thresholds are
// k/100, k = 0..99.
namespace seedbed::metrics {

inline constexpr std::size_t kNumMapThresholds = 100;

/// Corner pixels, both inside the box.
struct Box {
  std::int64_t left = 0;
  std::int64_t top = 0;
  std::int64_t right = 0;
  std::int64_t bottom = 0;
  bool operator==(const Box&) const = default;
};

/// Areas count both ends.
double box_iou(const Box& a, const Box& b);

/// The smallest box around each object of `label` ([H,W] uint8 instance numbers, 0 and 255 none), in the order of the
/// numbers; an object is of the class that most of its pixels have in `mask_hw`.
std::vector<Box> boxes_of_objects(const at::Tensor& instances_hw, const at::Tensor& mask_hw, std::int64_t label);

/// Which of a binary map's contours count.
enum class Contours {
  largest,  ///< version 1: the one that encloses the largest area
  any       ///< version 2
};

/// How many maps found a ground-truth box, at each threshold. A map is brought to 8 bits by truncation and is foreground
/// above the threshold's share of its largest value; the outlines of holes count as contours, and a map without any
/// contour has the box of the first pixel. Published boxes reach one pixel past what they cover, except at the image's
/// edge; these do too. Threads: [one-at-a-time].
class BoxAccuracy {
 public:
  /// Requires: overlaps in (0,1]. Throws: UserError otherwise.
  explicit BoxAccuracy(std::vector<double> overlaps);

  /// Throws: ContractError for a map that is not [H,W] float32; UserError for values outside [0,1].
  void add(const at::Tensor& map_hw, const std::vector<Box>& truth);

  /// Requires: equal overlaps.
  BoxAccuracy& operator+=(const BoxAccuracy& other);

  std::int64_t num_maps() const { return num_maps_; }
  const std::vector<double>& overlaps() const { return overlaps_; }

  /// Maps with a box that overlaps a true one by at least overlaps()[overlap].
  const std::array<std::int64_t, kNumMapThresholds>& correct(Contours contours, std::size_t overlap) const;

  /// MaxBoxAcc: the best threshold's share of maps; nullopt without maps.
  std::optional<double> best(Contours contours, std::size_t overlap) const;

  /// Version 2's number: best() averaged over all overlaps.
  std::optional<double> mean_best(Contours contours) const;

 private:
  using Counts = std::vector<std::array<std::int64_t, kNumMapThresholds>>;  ///< one an overlap

  std::vector<double> overlaps_;
  Counts largest_;
  Counts any_;
  std::int64_t num_maps_ = 0;
};

/// Pixel average precision (PxAP) over all pixels added: values fall into [k/100, (k+1)/100), 1 into a bin of its own;
/// the sum of precision times the step of recall, from high values to low. Threads: [one-at-a-time].
class PixelPrecision {
 public:
  /// Throws: ContractError for a map and a truth of two sizes or other types; UserError for values outside [0,1].
  /// `truth_hw` [H,W] uint8: `label` is a hit, 255 is left out.
  void add(const at::Tensor& map_hw, const at::Tensor& truth_hw, std::int64_t label = 1);

  PixelPrecision& operator+=(const PixelPrecision& other);

  /// Pixels at or above each bin, from the highest bin down: hits and others.
  std::array<std::int64_t, kNumMapThresholds + 1> hits_from_above() const { return from_above(hits_); }
  std::array<std::int64_t, kNumMapThresholds + 1> others_from_above() const { return from_above(others_); }

  /// nullopt where no pixel was a hit.
  std::optional<double> value() const;

 private:
  using Bins = std::array<std::int64_t, kNumMapThresholds + 1>;
  static Bins from_above(const Bins& bins);

  Bins hits_{};
  Bins others_{};
};

}  // namespace seedbed::metrics
