#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <ATen/core/Tensor.h>

namespace seedbed::metrics {

/// What a predicted 254 (undecided) or 255 (ignore) counts as.
enum class PredictedVoid {
  background,  ///< label 0
  error,       ///< a miss of the true label, a false positive of none
  exclude,     ///< the pixel is not counted
  refuse       ///< a UserError
};

PredictedVoid predicted_void_from(std::string_view name);  ///< Throws: UserError with the nearest name
std::string_view name_of(PredictedVoid rule);

/// Pixels of one image by true and predicted label: [K, K+1] int64, rows truth, last column predicted void. Pixels
/// whose truth is not in 0..K-1 are not counted. Sum the tensors over images, then derive.
///
/// Requires: [H,W] uint8 each, of one size. Throws: UserError for a predicted label that is neither in 0..K-1 nor 254,
/// 255, and for void under `refuse`. Threads: [any-thread].
at::Tensor count_confusion(const at::Tensor& truth_hw, const at::Tensor& prediction_hw, std::int64_t num_labels,
                           PredictedVoid rule);

/// What most metrics need, K numbers each.
struct LabelCounts {
  std::vector<std::int64_t> intersection;  ///< truth and prediction agree
  std::vector<std::int64_t> predicted;
  std::vector<std::int64_t> truth;

  LabelCounts() = default;
  explicit LabelCounts(std::int64_t num_labels);
  LabelCounts& operator+=(const LabelCounts& other);
  std::int64_t num_labels() const { return static_cast<std::int64_t>(truth.size()); }
};

LabelCounts label_counts(const at::Tensor& confusion_kk1);

/// Which labels the mean is taken over.
enum class MeanOver {
  unions,  ///< pixels in truth or prediction
  truth,   ///< pixels in truth
  all      ///< every label, an absent one as 0
};

/// Names in the store: "miou_union", "miou_truth", "miou_all".
std::string_view miou_name(MeanOver over);
MeanOver mean_over_from(std::string_view miou_name);  ///< Throws: UserError with the nearest name

/// Per label; nullopt is 0/0.
std::vector<std::optional<double>> iou(const LabelCounts& counts);
std::vector<std::optional<double>> precision(const LabelCounts& counts);
std::vector<std::optional<double>> recall(const LabelCounts& counts);
std::vector<std::optional<double>> dice(const LabelCounts& counts);

/// Harmonic mean of precision and recall as mmsegmentation has it: where both are 0 it is undefined, where dice is 0.
std::vector<std::optional<double>> f1(const LabelCounts& counts);

/// nullopt where no label takes part.
std::optional<double> mean_iou(const LabelCounts& counts, MeanOver over);
std::optional<double> pixel_accuracy(const LabelCounts& counts);
std::optional<double> frequency_weighted_iou(const LabelCounts& counts);

/// Mean of the defined values.
std::optional<double> mean_defined(const std::vector<std::optional<double>>& values);

}  // namespace seedbed::metrics
