#pragma once

#include <optional>
#include <string>

#include <ATen/core/Tensor.h>

#include "seedbed/trainable.hpp"

namespace seedbed::label_correction {

/// When a label gives way to a prediction.
struct CorrectionRule {
  double min_confidence = 0.8;
  double min_foreground_kept = 0.5;  ///< a corrected map with less than this share of its foreground ...
  double max_background = 0.95;      ///< ... and more than this share of background is not taken
};

/// `labels_hw` [H,W] int64 after correction by `probabilities_khw` [K,H,W] float32: a pixel takes the most probable label where
/// its probability exceeds the rule's and `allowed_k` [K] bool permits it. Nothing where the foreground would all but vanish.
std::optional<at::Tensor> corrected(const at::Tensor& labels_hw, const at::Tensor& probabilities_khw,
                                    const at::Tensor& allowed_k, const CorrectionRule& rule);

/// Labels of training images as they are by now. Kept at the size at which a fit passes over its images, together with where
/// their pixels lie in the image as stored.
class CorrectedLabels {
 public:
  CorrectedLabels(MapStore& labels, MapStore& geometry) : labels_(labels), geometry_(geometry) {}

  /// The present labels of a whole image, as for_each_image() shows it: [H,W] int64.
  at::Tensor of_image(const ViewBatch& image) const;
  void keep(const ViewBatch& image, const at::Tensor& labels_hw);

  /// The present labels [N,H,W] int64 of an augmented batch: each pixel takes the label in which its centre lies. Images that
  /// nobody corrected keep the batch's target; pixels outside of the image are 255.
  at::Tensor of_batch(const ViewBatch& batch) const;

 private:
  at::Tensor of_view(const ViewBatch& batch, std::int64_t index) const;

  MapStore& labels_;
  MapStore& geometry_;
};

}  // namespace seedbed::label_correction
