#pragma once

#include <ATen/core/Tensor.h>

namespace seedbed::metrics {

/// Image-level labels decided by a threshold, against the truth. 0/0 is 0.
struct LabelDecision {
  double class_precision = 0;    ///< CP: mean over classes
  double class_recall = 0;       ///< CR
  double overall_precision = 0;  ///< OP: over all decisions
  double overall_recall = 0;     ///< OR
  double class_f1 = 0;           ///< mean over classes of the class's F1
  double overall_f1 = 0;
  double exact_match = 0;     ///< share of images with every label right
  double label_accuracy = 0;  ///< share of labels that are right: 1 - Hamming loss
};

/// A label is predicted where its score exceeds `threshold`. scores_nc [N,C] floating, labels_nc [N,C] 0 or 1.
/// Throws: ContractError for shapes that differ, or without images.
LabelDecision decide_labels(const at::Tensor& scores_nc, const at::Tensor& labels_nc, double threshold = 0.5);

}  // namespace seedbed::metrics
