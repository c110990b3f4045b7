#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include <ATen/core/Tensor.h>

#include "seedbed/types.hpp"

namespace seedbed::metrics {

/// Average precision of object masks, and how well objects are covered at best, over many images.
///
/// A mask belongs to the object of its class that it overlaps most in its image; it is a hit if that overlap (IoU) reaches
/// the threshold and no mask of a higher score has taken the object. Precision over recall is integrated under the upper
/// envelope. Pixels of 255 in either map count nowhere, and a mask on such pixels alone is left out.
/// Threads: [one-at-a-time].
class InstancePrecision {
 public:
  /// Requires: thresholds in (0,1]. Throws: UserError otherwise.
  InstancePrecision(std::int64_t num_classes, std::vector<double> iou_thresholds);

  /// One image. `instances_hw` [H,W] uint8: 0, a number for each object, 255; `mask_hw` [H,W] uint8 labels: the most
  /// frequent class of an object's pixels is its class, and one without any is none. Masks of `found` are [H,W] bool.
  /// Throws: ContractError for masks of another size.
  void add(const std::vector<Instance>& found, const at::Tensor& instances_hw, const at::Tensor& mask_hw);

  const std::vector<double>& iou_thresholds() const { return iou_thresholds_; }

  /// By class; nullopt for a class without objects.
  std::vector<std::optional<double>> average_precision(std::size_t threshold_index) const;

  /// By class: the best overlap of each object with a mask of its class, averaged (ABO); nullopt without objects.
  std::vector<std::optional<double>> best_overlap() const;

  std::int64_t num_objects() const;
  std::int64_t num_found() const;

 private:
  /// A mask: its score, and the object it overlaps most (by number over all images; none where it overlaps nothing).
  struct Match {
    double score = 0;
    double overlap = 0;
    std::optional<std::size_t> object;
  };
  struct OfClass {
    std::vector<Match> matches;
    std::vector<double> best_overlaps;  ///< one an object
  };

  std::vector<double> iou_thresholds_;
  std::vector<OfClass> classes_;
};

}  // namespace seedbed::metrics
