#pragma once

#include <cstdint>
#include <vector>

#include <ATen/core/Tensor.h>

#include "metrics/boundary.hpp"
#include "metrics/count_metrics.hpp"

namespace seedbed::metrics {

/// Label maps against masks under any names of MetricOf::counts and MetricOf::outlines; others are left aside.
///
/// Threads: [one-at-a-time]. Scorers of parts of the images, joined in the images' order by +=, equal one scorer of all.
class LabelScorer {
 public:
  LabelScorer(const std::vector<protocol::MetricName>& names, std::int64_t num_labels, PredictedVoid rule);

  /// One image. Requires and throws as count_confusion().
  void add(const at::Tensor& truth_hw, const at::Tensor& prediction_hw);

  LabelScorer& operator+=(const LabelScorer& later);

  const LabelCounts& total() const { return total_; }
  const std::vector<LabelCounts>& images() const { return images_; }

  /// In the order of the names; what is undefined is left out.
  std::vector<NamedValue> values() const;

 private:
  /// One metric of outlines: what it has counted so far.
  struct Outline {
    protocol::MetricName name;
    LabelCounts total;
    Values of_images;  ///< means of images, or boundary F of each image and label
  };

  void add_outline(Outline& outline, const at::Tensor& truth_hw, const at::Tensor& prediction_hw) const;
  void add_values(const Outline& outline, std::vector<NamedValue>& values) const;

  std::vector<protocol::MetricName> names_;
  PredictedVoid rule_;
  at::Tensor confusion_;
  LabelCounts total_;
  std::vector<LabelCounts> images_;
  std::vector<Outline> outlines_;
};

}  // namespace seedbed::metrics
