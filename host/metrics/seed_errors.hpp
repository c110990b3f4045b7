#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include <ATen/core/Tensor.h>

#include "metrics/confusion.hpp"

// Where seeds go wrong: a false positive of a label is a pixel that wrongly got it (over-activation), a false negative
// one that wrongly lacks it (under-activation).
namespace seedbed::metrics {

using Values = std::vector<std::optional<double>>;

Values fp_over_union(const LabelCounts& counts);  ///< IRN's and SEAM's code; nullopt without pixels
Values fn_over_union(const LabelCounts& counts);

/// FP / TP and FN / TP, also called confusion ratios (SEAM, Wang et al., CVPR 2020, table 5: m_FP and m_FN are their
/// means). Infinite where errors meet no hit; nullopt where there is neither.
Values fp_over_tp(const LabelCounts& counts);
Values fn_over_tp(const LabelCounts& counts);

Values false_positive_rate(const LabelCounts& counts);  ///< FP / pixels of other labels
Values false_negative_rate(const LabelCounts& counts);  ///< FN / pixels of the label

/// Mean over the foreground labels that have hits; nullopt where none has.
std::optional<double> mean_foreground_with_hits(const Values& ratios, const LabelCounts& counts);

/// Any class against the background: hits, predicted and true foreground pixels.
struct ForegroundCounts {
  std::int64_t hits = 0;
  std::int64_t predicted = 0;
  std::int64_t truth = 0;

  std::optional<double> precision() const;
  std::optional<double> recall() const;
  std::optional<double> iou() const;
};

/// From a confusion matrix [K,K+1] int64 of count_confusion.
ForegroundCounts foreground_counts(const at::Tensor& confusion_kk1);

/// From counts by label. Requires: every counted pixel has a predicted label (a ContractError otherwise: what void was
/// predicted on is not in the counts).
ForegroundCounts foreground_counts(const LabelCounts& counts);

}  // namespace seedbed::metrics
