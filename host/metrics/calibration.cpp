#include "metrics/calibration.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>

#include <ATen/ATen.h>

#include "seedbed/error.hpp"

namespace seedbed::metrics {
namespace {

constexpr double kSmallestProbability = 1e-12;

void require_pairs(const char* who, const at::Tensor& confidences_n, const at::Tensor& correct_n) {
  if (confidences_n.dim() == 1 && confidences_n.sizes() == correct_n.sizes() &&
      confidences_n.scalar_type() == at::kFloat && correct_n.scalar_type() == at::kBool)
    return;
  throw ContractError(who, "confidences and answers come in pairs", "[N] float32 and [N] bool",
                      confidences_n.toString() + " and " + correct_n.toString());
}

at::Tensor of_truth(const char* who, const at::Tensor& probabilities_nc, const at::Tensor& labels_n) {
  if (probabilities_nc.dim() != 2 || labels_n.dim() != 1 || probabilities_nc.size(0) != labels_n.size(0) ||
      labels_n.scalar_type() != at::kLong || labels_n.size(0) == 0)
    throw ContractError(who, "each row of probabilities has a label", probabilities_nc.toString(), labels_n.toString());
  return probabilities_nc.to(at::kDouble).gather(1, labels_n.unsqueeze(1)).squeeze(1);
}

}  // namespace

Calibration::Calibration(std::int64_t num_bins, BinSide side, EdgeType edges) : side_(side) {
  if (num_bins < 1)
    throw UserError("", "Calibration needs at least one bin: `" + std::to_string(num_bins) + "`.", "15 are usual.");
  const auto count = static_cast<std::size_t>(num_bins);
  if (edges == EdgeType::float32) {
    // LibTorch's own, whose upper half counts down from 1.
    const at::Tensor steps = at::linspace(0, 1, num_bins + 1, at::kFloat);
    for (std::size_t k = 0; k <= count; ++k) edges_.push_back(static_cast<double>(steps.const_data_ptr<float>()[k]));
  } else {
    for (std::size_t k = 0; k <= count; ++k) edges_.push_back(static_cast<double>(k) / static_cast<double>(num_bins));
  }
  counts_.resize(count + 1);
  correct_.resize(count + 1);
  confidence_.resize(count + 1);
}

// Index of the bin; the number of bins + 1 for a confidence of 0 that no bin holds.
std::size_t Calibration::bin_of(float confidence) const {
  const auto value = static_cast<double>(confidence);
  if (side_ == BinSide::lower)
    return static_cast<std::size_t>(std::ranges::upper_bound(edges_, value) - edges_.begin()) - 1;
  const auto found = std::ranges::lower_bound(edges_, value);
  return found == edges_.begin() ? edges_.size() : static_cast<std::size_t>(found - edges_.begin()) - 1;
}

void Calibration::add(const at::Tensor& confidences_n, const at::Tensor& correct_n) {
  require_pairs("Calibration", confidences_n, correct_n);
  const at::Tensor confidences = confidences_n.contiguous(), answers = correct_n.contiguous();
  const auto* confidence = confidences.const_data_ptr<float>();
  const auto* is_correct = answers.const_data_ptr<bool>();
  for (std::int64_t i = 0; i < confidences.numel(); ++i) {
    if (!(confidence[i] >= 0 && confidence[i] <= 1))
      throw UserError("", "A confidence lies outside [0,1]: `" + std::to_string(confidence[i]) + "`.",
                      "Calibration is of probabilities.");
    ++num_values_;
    num_correct_ += is_correct[i] ? 1 : 0;
    confidence_sum_ += static_cast<double>(confidence[i]);
    const std::size_t bin = bin_of(confidence[i]);
    if (bin >= counts_.size()) continue;
    ++counts_[bin];
    correct_[bin] += is_correct[i] ? 1 : 0;
    confidence_[bin] += static_cast<double>(confidence[i]);
  }
}

Calibration& Calibration::operator+=(const Calibration& other) {
  for (std::size_t bin = 0; bin < counts_.size(); ++bin) {
    counts_[bin] += other.counts_.at(bin);
    correct_[bin] += other.correct_.at(bin);
    confidence_[bin] += other.confidence_.at(bin);
  }
  num_values_ += other.num_values_;
  num_correct_ += other.num_correct_;
  confidence_sum_ += other.confidence_sum_;
  return *this;
}

std::vector<double> Calibration::gaps() const {
  std::vector<double> gaps(counts_.size());
  for (std::size_t bin = 0; bin < gaps.size(); ++bin)
    if (counts_[bin] > 0)
      gaps[bin] = std::abs(static_cast<double>(correct_[bin]) - confidence_[bin]) / static_cast<double>(counts_[bin]);
  return gaps;
}

std::optional<double> Calibration::expected_error() const {
  if (num_values_ == 0) return std::nullopt;
  const std::vector<double> all = gaps();
  double sum = 0;
  for (std::size_t bin = 0; bin < all.size(); ++bin) sum += static_cast<double>(counts_[bin]) * all[bin];
  return sum / static_cast<double>(num_values_);
}

std::optional<double> Calibration::maximum_error() const {
  if (num_values_ == 0) return std::nullopt;
  return std::ranges::max(gaps());
}

std::optional<double> Calibration::root_mean_squared_error() const {
  if (num_values_ == 0) return std::nullopt;
  const std::vector<double> all = gaps();
  double sum = 0;
  for (std::size_t bin = 0; bin < all.size(); ++bin) sum += static_cast<double>(counts_[bin]) * all[bin] * all[bin];
  return std::sqrt(sum / static_cast<double>(num_values_));
}

std::optional<double> Calibration::accuracy() const {
  if (num_values_ == 0) return std::nullopt;
  return static_cast<double>(num_correct_) / static_cast<double>(num_values_);
}

std::optional<double> Calibration::mean_confidence() const {
  if (num_values_ == 0) return std::nullopt;
  return confidence_sum_ / static_cast<double>(num_values_);
}

double equal_mass_error(const at::Tensor& confidences_n, const at::Tensor& correct_n, std::int64_t num_bins) {
  require_pairs("equal_mass_error", confidences_n, correct_n);
  const at::Tensor confidences = confidences_n.contiguous(), answers = correct_n.contiguous();
  const auto* confidence = confidences.const_data_ptr<float>();
  const auto* is_correct = answers.const_data_ptr<bool>();
  const std::int64_t count = confidences.numel();
  if (count == 0 || num_bins < 1)
    throw ContractError("equal_mass_error", "there are values and bins", "at least one of each", "none");
  std::vector<std::int64_t> order(static_cast<std::size_t>(count));
  std::iota(order.begin(), order.end(), std::int64_t{0});
  std::ranges::stable_sort(order, {}, [&](std::int64_t i) { return confidence[i]; });
  double sum = 0;
  for (std::int64_t bin = 0, begin = 0; bin < num_bins; ++bin) {
    const std::int64_t size = count / num_bins + (bin < count % num_bins ? 1 : 0);
    double gap = 0;
    for (std::int64_t k = begin; k < begin + size; ++k) {
      const std::int64_t i = order[static_cast<std::size_t>(k)];
      gap += (is_correct[i] ? 1.0 : 0.0) - static_cast<double>(confidence[i]);
    }
    sum += std::abs(gap);  // of the bin's mean, times its size
    begin += size;
  }
  return sum / static_cast<double>(count);
}

double brier_score(const at::Tensor& probabilities_nc, const at::Tensor& labels_n) {
  const at::Tensor true_n = of_truth("brier_score", probabilities_nc, labels_n);
  // (p - 1)^2 = p^2 - 2 p + 1 in the true column.
  const at::Tensor squares_n = probabilities_nc.to(at::kDouble).square().sum(1);
  return (squares_n - 2 * true_n + 1).mean().item<double>();
}

double negative_log_likelihood(const at::Tensor& probabilities_nc, const at::Tensor& labels_n) {
  const at::Tensor true_n = of_truth("negative_log_likelihood", probabilities_nc, labels_n);
  return -true_n.clamp_min(kSmallestProbability).log().mean().item<double>();
}

}  // namespace seedbed::metrics
