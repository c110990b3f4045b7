#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <vector>

#include <ATen/core/Tensor.h>

#include "metrics/calibration.hpp"
#include "metrics/count_metrics.hpp"
#include "metrics/localisation.hpp"
#include "metrics/pointing.hpp"

namespace seedbed::metrics {

/// One image's maps at the mask's size.
struct MapImage {
  at::Tensor maps_phw;                              ///< [P,H,W] float32 in [0,1]
  std::vector<std::int64_t> planes;                 ///< P labels in 1..K-1
  at::Tensor truth_hw;                              ///< [H,W] uint8, 255 void
  at::Tensor instances_hw = {};                     ///< [H,W] uint8, for metrics of the boxes of objects
  std::multimap<std::int64_t, Box> annotated = {};  ///< by label, for metrics of annotated boxes
};

/// Class maps against masks under any names of MetricOf::maps, boxes and annotated_boxes; others are left aside. Each pair
/// of an image and a class that it shows is asked for (of annotated boxes: a class that has one); a class without a map has
/// one of zeros, and maps of classes that the image does not show count nowhere.
///
/// Threads: [one-at-a-time]. Scorers of parts of the images, joined in the images' order by +=, equal one scorer of all.
class MapScorer {
 public:
  MapScorer(const std::vector<protocol::MetricName>& names, std::int64_t num_labels);

  bool needs_objects() const { return boxes_.has_value(); }
  bool needs_annotated_boxes() const { return annotated_.has_value(); }

  /// Throws: ContractError for maps of another size; UserError for values outside [0,1].
  void add(const MapImage& image);

  MapScorer& operator+=(const MapScorer& later);

  /// In the order of the names; what is undefined is left out.
  std::vector<NamedValue> values() const;

 private:
  void add_pair(const at::Tensor& map_hw, std::int64_t label, const MapImage& image);
  void add_values(const protocol::MetricName& name, std::vector<NamedValue>& values) const;
  void add_box_value(const protocol::MetricName& name, std::vector<NamedValue>& values) const;

  std::vector<protocol::MetricName> names_;
  std::vector<PixelPrecision> pixels_;    ///< by label; empty where no name needs them
  std::map<double, PointingGame> games_;  ///< by tolerance
  std::array<Values, 2> energies_;        ///< of each pair: over all pixels, over those that are not void
  std::optional<BoxAccuracy> boxes_;      ///< of objects
  std::optional<BoxAccuracy> annotated_;  ///< of annotated boxes
};

/// Calibration of pixels under any names of MetricOf::probabilities; others are left aside. Threads and += as above.
class ProbabilityScorer {
 public:
  explicit ProbabilityScorer(const std::vector<protocol::MetricName>& names);

  /// probabilities [P,H,W] float32 at the mask's size, planes P labels: the largest is the prediction, and its value the
  /// confidence. Void pixels of the truth are left out. Throws: UserError for values outside [0,1].
  void add(const at::Tensor& probabilities_phw, const std::vector<std::int64_t>& planes, const at::Tensor& truth_hw);

  ProbabilityScorer& operator+=(const ProbabilityScorer& later);

  std::vector<NamedValue> values() const;

 private:
  std::vector<protocol::MetricName> names_;
  std::vector<Calibration> calibrations_;  ///< one a name
};

}  // namespace seedbed::metrics
