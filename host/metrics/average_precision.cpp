#include "metrics/average_precision.hpp"

#include <algorithm>
#include <cstdint>
#include <numeric>

#include <ATen/ATen.h>

#include "metrics/confusion.hpp"
#include "seedbed/error.hpp"

namespace seedbed::metrics {
namespace {

struct Scored {
  double score;
  bool positive;
};

// Recall as hits of all positives, and precision, after each step down the list.
struct Point {
  std::int64_t hits;
  double precision;
};

std::vector<Point> points_of(std::vector<Scored> scored, Ties ties) {
  std::ranges::stable_sort(scored, std::greater<>(), &Scored::score);
  std::vector<Point> points;
  std::int64_t hits = 0;
  for (std::size_t i = 0; i < scored.size(); ++i) {
    hits += scored[i].positive ? 1 : 0;
    const bool within_tie = i + 1 < scored.size() && scored[i + 1].score == scored[i].score;
    if (ties == Ties::grouped && within_tie) continue;
    points.push_back({hits, static_cast<double>(hits) / static_cast<double>(i + 1)});
  }
  return points;
}

double sum_of_steps(const std::vector<Point>& points, std::int64_t positives) {
  double sum = 0;
  std::int64_t before = 0;
  for (const Point& point : points) {
    sum += static_cast<double>(point.hits - before) / static_cast<double>(positives) * point.precision;
    before = point.hits;
  }
  return sum;
}

// Precision becomes the largest of this and all later steps.
void raise_to_envelope(std::vector<Point>& points) {
  for (std::size_t i = points.size(); i-- > 1;)
    points[i - 1].precision = std::max(points[i - 1].precision, points[i].precision);
}

double mean_of_levels(const std::vector<Point>& points, std::int64_t positives, bool exact) {
  double sum = 0;
  for (std::int64_t level = 0; level <= 10; ++level) {
    const double as_float = static_cast<double>(level) * 0.1;
    const auto reaches = [&](const Point& point) {
      if (exact) return point.hits * 10 >= level * positives;
      return static_cast<double>(point.hits) / static_cast<double>(positives) >= as_float;
    };
    double best = 0;
    for (const Point& point : points)
      if (reaches(point)) best = std::max(best, point.precision);
    sum += best;
  }
  return sum / 11;
}

std::optional<double> precision_of(std::vector<Scored> scored, PrecisionForm form, Ties ties) {
  const std::int64_t positives = std::ranges::count_if(scored, &Scored::positive);
  if (positives == 0) return std::nullopt;
  std::vector<Point> points = points_of(std::move(scored), ties);
  switch (form) {
    case PrecisionForm::sum:
      break;
    case PrecisionForm::all_points:
      raise_to_envelope(points);
      break;
    case PrecisionForm::eleven_float:
      return mean_of_levels(points, positives, false);
    case PrecisionForm::eleven_exact:
      return mean_of_levels(points, positives, true);
  }
  return sum_of_steps(points, positives);
}

}  // namespace

std::vector<std::optional<double>> average_precision(const at::Tensor& scores_nc, const at::Tensor& labels_nc,
                                                     PrecisionForm form, Ties ties) {
  if (scores_nc.dim() != 2 || scores_nc.sizes() != labels_nc.sizes())
    throw ContractError("average_precision", "scores and labels are [N,C] each", labels_nc.toString(),
                        scores_nc.toString());
  if (!scores_nc.isfinite().all().item<bool>())
    throw UserError("", "Image-level scores hold a number that is not finite.", "A training may have diverged.");
  const at::Tensor scores = scores_nc.to(at::kDouble).contiguous(), labels = labels_nc.to(at::kLong).contiguous();
  const auto* score = scores.const_data_ptr<double>();
  const auto* label = labels.const_data_ptr<std::int64_t>();
  const std::int64_t num_images = scores.size(0), num_classes = scores.size(1);
  std::vector<std::optional<double>> values;
  for (std::int64_t c = 0; c < num_classes; ++c) {
    std::vector<Scored> scored;
    for (std::int64_t i = c; i < num_images * num_classes; i += num_classes)
      if (label[i] >= 0) scored.push_back({score[i], label[i] > 0});
    values.push_back(precision_of(std::move(scored), form, ties));
  }
  return values;
}

std::optional<double> map_macro(const at::Tensor& scores_nc, const at::Tensor& labels_nc) {
  return mean_defined(average_precision(scores_nc, labels_nc));
}

}  // namespace seedbed::metrics
