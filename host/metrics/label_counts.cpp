#include <algorithm>
#include <functional>
#include <numeric>
#include <utility>

#include <ATen/ATen.h>

#include "metrics/confusion.hpp"
#include "seedbed/error.hpp"

namespace seedbed::metrics {
namespace {

constexpr std::pair<MeanOver, std::string_view> kMeanNames[] = {
    {MeanOver::unions, "miou_union"}, {MeanOver::truth, "miou_truth"}, {MeanOver::all, "miou_all"}};

using Share = std::pair<std::int64_t, std::int64_t>;  ///< numerator, denominator

std::vector<std::optional<double>> shares(const LabelCounts& counts, const std::function<Share(std::size_t)>& share) {
  std::vector<std::optional<double>> values(counts.truth.size());
  for (std::size_t label = 0; label < values.size(); ++label) {
    const auto [part, whole] = share(label);
    if (whole > 0) values[label] = static_cast<double>(part) / static_cast<double>(whole);
  }
  return values;
}

std::int64_t total(const std::vector<std::int64_t>& values) {
  return std::accumulate(values.begin(), values.end(), std::int64_t{0});
}

}  // namespace

LabelCounts::LabelCounts(std::int64_t num_labels)
    : intersection(static_cast<std::size_t>(num_labels)),
      predicted(static_cast<std::size_t>(num_labels)),
      truth(static_cast<std::size_t>(num_labels)) {}

LabelCounts& LabelCounts::operator+=(const LabelCounts& other) {
  const auto add = [](std::vector<std::int64_t>& sum, const std::vector<std::int64_t>& more) {
    std::ranges::transform(sum, more, sum.begin(), std::plus());
  };
  add(intersection, other.intersection);
  add(predicted, other.predicted);
  add(truth, other.truth);
  return *this;
}

LabelCounts label_counts(const at::Tensor& confusion_kk1) {
  const std::int64_t num_labels = confusion_kk1.size(0);
  LabelCounts counts(num_labels);
  const at::Tensor confusion = confusion_kk1.contiguous();
  const auto* count = confusion.const_data_ptr<std::int64_t>();
  for (std::size_t row = 0; row < counts.truth.size(); ++row)
    for (std::size_t column = 0; column <= counts.truth.size(); ++column, ++count) {
      counts.truth[row] += *count;
      if (column < counts.truth.size()) counts.predicted[column] += *count;
      if (column == row) counts.intersection[row] = *count;
    }
  return counts;
}

std::string_view miou_name(MeanOver over) {
  return std::ranges::find(kMeanNames, over, &std::pair<MeanOver, std::string_view>::first)->second;
}

MeanOver mean_over_from(std::string_view name) {
  std::vector<std::string> names;
  for (const auto& [over, known] : kMeanNames) {
    if (known == name) return over;
    names.emplace_back(known);
  }
  const std::string near = nearest_name(name, names);
  throw UserError("", "There is no such mean over classes: `" + std::string(name) + "`.",
                  (near.empty() ? "" : "Did you mean `" + near + "`? ") +
                      std::string("Means: `miou_union`, `miou_truth`, `miou_all`."));
}

std::vector<std::optional<double>> iou(const LabelCounts& c) {
  return shares(c, [&](std::size_t k) {
    return Share{c.intersection[k], c.truth[k] + c.predicted[k] - c.intersection[k]};
  });
}

std::vector<std::optional<double>> precision(const LabelCounts& c) {
  return shares(c, [&](std::size_t k) { return Share{c.intersection[k], c.predicted[k]}; });
}

std::vector<std::optional<double>> recall(const LabelCounts& c) {
  return shares(c, [&](std::size_t k) { return Share{c.intersection[k], c.truth[k]}; });
}

std::vector<std::optional<double>> dice(const LabelCounts& c) {
  return shares(c, [&](std::size_t k) { return Share{2 * c.intersection[k], c.truth[k] + c.predicted[k]}; });
}

std::vector<std::optional<double>> f1(const LabelCounts& c) {
  std::vector<std::optional<double>> values = dice(c);
  for (std::size_t label = 0; label < values.size(); ++label)
    if (c.intersection[label] == 0) values[label] = std::nullopt;
  return values;
}

std::optional<double> mean_defined(const std::vector<std::optional<double>>& values) {
  double sum = 0;
  std::int64_t count = 0;
  for (const auto& value : values) {
    if (!value) continue;
    sum += *value;
    ++count;
  }
  if (count == 0) return std::nullopt;
  return sum / static_cast<double>(count);
}

std::optional<double> mean_iou(const LabelCounts& counts, MeanOver over) {
  std::vector<std::optional<double>> values = iou(counts);
  for (std::size_t label = 0; label < values.size(); ++label) {
    if (over == MeanOver::truth && counts.truth[label] == 0) values[label] = std::nullopt;
    if (over == MeanOver::all && !values[label]) values[label] = 0.0;
  }
  return mean_defined(values);
}

std::optional<double> pixel_accuracy(const LabelCounts& counts) {
  const std::int64_t pixels = total(counts.truth);
  if (pixels == 0) return std::nullopt;
  return static_cast<double>(total(counts.intersection)) / static_cast<double>(pixels);
}

std::optional<double> frequency_weighted_iou(const LabelCounts& counts) {
  const std::int64_t pixels = total(counts.truth);
  if (pixels == 0) return std::nullopt;
  const std::vector<std::optional<double>> values = iou(counts);
  double sum = 0;
  for (std::size_t label = 0; label < values.size(); ++label)
    sum += static_cast<double>(counts.truth[label]) / static_cast<double>(pixels) * values[label].value_or(0);
  return sum;
}

}  // namespace seedbed::metrics
