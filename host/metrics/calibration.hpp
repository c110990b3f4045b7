#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include <ATen/core/Tensor.h>

namespace seedbed::metrics {

/// Which end of a bin belongs to it.
enum class BinSide {
  upper,  ///< (lo, hi]: Guo et al., ICML 2017
  lower   ///< [lo, hi); a confidence of exactly 1 has a bin of its own (torchmetrics)
};

/// The type that bin edges are held in; confidences that lie exactly on an edge move.
enum class EdgeType { float32, float64 };

/// How far confidence is from accuracy, over equal bins of confidence. Threads: [one-at-a-time].
class Calibration {
 public:
  /// Requires: at least one bin. Throws: UserError otherwise.
  explicit Calibration(std::int64_t num_bins = 15, BinSide side = BinSide::upper, EdgeType edges = EdgeType::float32);

  /// confidences [N] float32 in [0,1], correct [N] bool.
  /// Throws: ContractError for other shapes or types; UserError for confidences outside [0,1].
  void add(const at::Tensor& confidences_n, const at::Tensor& correct_n);

  /// Requires: equal bins.
  Calibration& operator+=(const Calibration& other);

  /// num_bins + 1: the last is that of confidence 1 where the lower side belongs to a bin. A confidence of 0 falls into
  /// no bin where the upper side does.
  const std::vector<std::int64_t>& counts() const { return counts_; }

  /// nullopt without values. Guo et al., eq. 3 and 5; the third is the root of the mean squared gap.
  std::optional<double> expected_error() const;
  std::optional<double> maximum_error() const;
  std::optional<double> root_mean_squared_error() const;

  std::optional<double> accuracy() const;
  std::optional<double> mean_confidence() const;

 private:
  std::size_t bin_of(float confidence) const;
  std::vector<double> gaps() const;  ///< |accuracy - confidence| of each bin, 0 of an empty one

  BinSide side_;
  std::vector<double> edges_;
  std::vector<std::int64_t> counts_;
  std::vector<std::int64_t> correct_;
  std::vector<double> confidence_;
  std::int64_t num_values_ = 0;
  std::int64_t num_correct_ = 0;
  double confidence_sum_ = 0;
};

/// Expected calibration error over bins of (nearly) equal numbers of values, the first ones one larger; equal
/// confidences stay in order. Requires: as Calibration::add, N > 0.
double equal_mass_error(const at::Tensor& confidences_n, const at::Tensor& correct_n, std::int64_t num_bins = 15);

/// Mean over rows of the sum over classes of (probability - truth)^2. probabilities [N,C], labels [N] int64.
double brier_score(const at::Tensor& probabilities_nc, const at::Tensor& labels_n);

/// Mean of -log(max(probability of the truth, 1e-12)).
double negative_log_likelihood(const at::Tensor& probabilities_nc, const at::Tensor& labels_n);

}  // namespace seedbed::metrics
