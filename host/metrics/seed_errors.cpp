#include "metrics/seed_errors.hpp"

#include <functional>
#include <limits>
#include <numeric>
#include <string>

#include <ATen/ATen.h>

#include "seedbed/error.hpp"

namespace seedbed::metrics {
namespace {

std::int64_t total(const std::vector<std::int64_t>& values) {
  return std::accumulate(values.begin(), values.end(), std::int64_t{0});
}

std::optional<double> share(std::int64_t part, std::int64_t whole) {
  if (whole == 0) return std::nullopt;
  return static_cast<double>(part) / static_cast<double>(whole);
}

std::optional<double> ratio(std::int64_t errors, std::int64_t hits) {
  if (hits == 0 && errors > 0) return std::numeric_limits<double>::infinity();
  return share(errors, hits);
}

Values by_label(const LabelCounts& counts, const std::function<std::optional<double>(std::size_t)>& value) {
  Values values(counts.truth.size());
  for (std::size_t label = 0; label < values.size(); ++label) values[label] = value(label);
  return values;
}

std::int64_t false_positives(const LabelCounts& c, std::size_t k) { return c.predicted[k] - c.intersection[k]; }
std::int64_t false_negatives(const LabelCounts& c, std::size_t k) { return c.truth[k] - c.intersection[k]; }
std::int64_t either(const LabelCounts& c, std::size_t k) { return c.predicted[k] + c.truth[k] - c.intersection[k]; }

}  // namespace

Values fp_over_union(const LabelCounts& c) {
  return by_label(c, [&](std::size_t k) { return share(false_positives(c, k), either(c, k)); });
}

Values fn_over_union(const LabelCounts& c) {
  return by_label(c, [&](std::size_t k) { return share(false_negatives(c, k), either(c, k)); });
}

Values fp_over_tp(const LabelCounts& c) {
  return by_label(c, [&](std::size_t k) { return ratio(false_positives(c, k), c.intersection[k]); });
}

Values fn_over_tp(const LabelCounts& c) {
  return by_label(c, [&](std::size_t k) { return ratio(false_negatives(c, k), c.intersection[k]); });
}

Values false_positive_rate(const LabelCounts& c) {
  const std::int64_t pixels = total(c.truth);
  return by_label(c, [&](std::size_t k) { return share(false_positives(c, k), pixels - c.truth[k]); });
}

Values false_negative_rate(const LabelCounts& c) {
  return by_label(c, [&](std::size_t k) { return share(false_negatives(c, k), c.truth[k]); });
}

std::optional<double> mean_foreground_with_hits(const Values& ratios, const LabelCounts& counts) {
  Values defined = ratios;
  for (std::size_t label = 0; label < defined.size(); ++label)
    if (label == 0 || counts.intersection[label] == 0) defined[label] = std::nullopt;
  return mean_defined(defined);
}

std::optional<double> ForegroundCounts::precision() const { return share(hits, predicted); }
std::optional<double> ForegroundCounts::recall() const { return share(hits, truth); }
std::optional<double> ForegroundCounts::iou() const { return share(hits, predicted + truth - hits); }

ForegroundCounts foreground_counts(const at::Tensor& confusion_kk1) {
  if (confusion_kk1.dim() != 2 || confusion_kk1.size(1) != confusion_kk1.size(0) + 1 ||
      confusion_kk1.scalar_type() != at::kLong)
    throw ContractError("foreground_counts", "a confusion matrix is [K,K+1] int64", "[K,K+1]",
                        confusion_kk1.toString());
  const std::int64_t labels = confusion_kk1.size(0);
  const auto sum = [](const at::Tensor& part) { return part.sum().item<std::int64_t>(); };
  const at::Tensor classes = confusion_kk1.narrow(1, 1, labels - 1);
  return {sum(classes.narrow(0, 1, labels - 1)), sum(classes), sum(confusion_kk1.narrow(0, 1, labels - 1))};
}

ForegroundCounts foreground_counts(const LabelCounts& c) {
  const std::int64_t pixels = total(c.truth);
  if (total(c.predicted) != pixels)
    throw ContractError("foreground_counts", "every counted pixel has a predicted label", std::to_string(pixels),
                        std::to_string(total(c.predicted)));
  const std::int64_t truth = pixels - c.truth[0];
  return {truth - false_positives(c, 0), pixels - c.predicted[0], truth};
}

}  // namespace seedbed::metrics
