#include "metrics/boundary.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include <ATen/ATen.h>

#include "seedbed/error.hpp"
#include "seedbed/types.hpp"

namespace seedbed::metrics {
namespace {

constexpr std::uint8_t kNoLabel = kIgnoreLabel;

double diagonal(std::int64_t height, std::int64_t width) {
  return std::hypot(static_cast<double>(height), static_cast<double>(width));
}

void require_label_maps(const char* who, const at::Tensor& truth_hw, const at::Tensor& prediction_hw) {
  if (truth_hw.dim() == 2 && truth_hw.scalar_type() == at::kByte && prediction_hw.scalar_type() == at::kByte &&
      truth_hw.sizes() == prediction_hw.sizes())
    return;
  throw ContractError(who, "truth and prediction are label maps of one size", truth_hw.toString(),
                      prediction_hw.toString());
}

// Labels 0..K-1, kNoLabel for everything else.
struct Labels {
  std::int64_t height = 0;
  std::int64_t width = 0;
  std::vector<std::uint8_t> of;

  Labels(const at::Tensor& labels_hw, std::int64_t num_labels) : height(labels_hw.size(0)), width(labels_hw.size(1)) {
    const at::Tensor labels = labels_hw.contiguous();
    const auto* label = labels.const_data_ptr<std::uint8_t>();
    of.assign(label, label + labels.numel());
    for (std::uint8_t& each : of)
      if (each >= num_labels) each = kNoLabel;
  }

  void clear_where_void(const at::Tensor& truth_hw) {
    const at::Tensor truth = truth_hw.contiguous();
    const auto* label = truth.const_data_ptr<std::uint8_t>();
    for (std::size_t i = 0; i < of.size(); ++i)
      if (label[i] == kIgnoreLabel) of[i] = kNoLabel;
  }
};

// How many pixels around (inclusive, along one axis) are of the same run: `length` pixels, `stride` apart.
// True where `reach` pixels on both sides are there and of the run.
template <typename Same>
void mark_inside(std::int64_t length, std::int64_t reach, Same same, std::vector<std::uint8_t>& inside) {
  std::ranges::fill(inside, std::uint8_t{0});
  for (std::int64_t begin = 0; begin < length;) {
    std::int64_t end = begin + 1;
    while (end < length && same(end - 1, end)) ++end;
    for (std::int64_t i = begin + reach; i < end - reach; ++i) inside[static_cast<std::size_t>(i)] = 1;
    begin = end;
  }
}

// A pixel keeps its label if it lies on the label's inner boundary, and loses it otherwise. One pass serves all labels:
// a pixel is inside its label's erosion exactly if the square around it holds nothing else.
void keep_boundary(Labels& labels, std::int64_t width) {
  std::vector<std::uint8_t> in_row(labels.of.size()), line(static_cast<std::size_t>(labels.width));
  for (std::int64_t y = 0; y < labels.height; ++y) {
    const std::uint8_t* row = labels.of.data() + y * labels.width;
    mark_inside(
        labels.width, width, [&](std::int64_t a, std::int64_t b) { return row[a] == row[b]; }, line);
    std::ranges::copy(line, in_row.begin() + y * labels.width);
  }
  line.resize(static_cast<std::size_t>(labels.height));
  std::vector<std::uint8_t> boundary = labels.of;
  for (std::int64_t x = 0; x < labels.width; ++x) {
    const auto at = [&](std::int64_t y) { return static_cast<std::size_t>(y * labels.width + x); };
    // A pixel that its own row rules out ends every run.
    const auto same = [&](std::int64_t a, std::int64_t b) {
      return in_row[at(a)] != 0 && in_row[at(b)] != 0 && labels.of[at(a)] == labels.of[at(b)];
    };
    mark_inside(labels.height, width, same, line);
    for (std::int64_t y = 0; y < labels.height; ++y)
      if (line[static_cast<std::size_t>(y)] != 0 && in_row[at(y)] != 0) boundary[at(y)] = kNoLabel;
  }
  labels.of = std::move(boundary);
}

// Where a mask differs from its right, lower and lower right neighbour; neighbours outside the image agree.
PixelSet davis_edges(const Labels& labels, std::uint8_t label) {
  PixelSet edges(labels.height, labels.width);
  for (std::int64_t y = 0; y < labels.height; ++y)
    for (std::int64_t x = 0; x < labels.width; ++x) {
      const auto is_of = [&](std::int64_t row, std::int64_t column) {
        return labels.of[static_cast<std::size_t>(std::min(row, labels.height - 1) * labels.width +
                                                  std::min(column, labels.width - 1))] == label;
      };
      const bool here = is_of(y, x);
      const bool differs = here != is_of(y, x + 1) || here != is_of(y + 1, x) || here != is_of(y + 1, x + 1);
      edges.inside[static_cast<std::size_t>(y * labels.width + x)] = differs ? 1 : 0;
    }
  return edges;
}

double share_near(const PixelSet& edges, const PixelSet& others_dilated) {
  std::int64_t near = 0;
  for (std::size_t i = 0; i < edges.inside.size(); ++i) near += edges.inside[i] & others_dilated.inside[i];
  return static_cast<double>(near) / static_cast<double>(edges.count());
}

double f_of_edges(const PixelSet& truth, const PixelSet& prediction, std::int64_t tolerance) {
  const bool truth_empty = truth.count() == 0, prediction_empty = prediction.count() == 0;
  if (truth_empty || prediction_empty) return truth_empty && prediction_empty ? 1 : 0;
  const double precision = share_near(prediction, dilated(truth, tolerance, Distance::euclidean));
  const double recall = share_near(truth, dilated(prediction, tolerance, Distance::euclidean));
  return precision + recall > 0 ? 2 * precision * recall / (precision + recall) : 0;
}

std::array<bool, 256> labels_in(const Labels& labels) {
  std::array<bool, 256> present{};
  for (std::uint8_t label : labels.of) present[label] = true;
  return present;
}

bool is_edge(std::uint8_t a, std::uint8_t b, TrimapEdges edges) {
  return a != b && (edges == TrimapEdges::all || (a != kIgnoreLabel && b != kIgnoreLabel));
}

PixelSet trimap_edges(const std::uint8_t* label, std::int64_t height, std::int64_t width, TrimapEdges edges) {
  PixelSet set(height, width);
  const auto mark = [&](std::int64_t a, std::int64_t b) {
    if (is_edge(label[a], label[b], edges))
      set.inside[static_cast<std::size_t>(a)] = set.inside[static_cast<std::size_t>(b)] = 1;
  };
  for (std::int64_t y = 0; y < height; ++y)
    for (std::int64_t x = 0; x < width; ++x) {
      const std::int64_t here = y * width + x;
      if (x + 1 < width) mark(here, here + 1);
      if (y + 1 < height) mark(here, here + width);
    }
  return set;
}

}  // namespace

std::int64_t boundary_width_px(std::int64_t height_px, std::int64_t width_px, double ratio) {
  const double rounded = std::nearbyint(ratio * diagonal(height_px, width_px));  // halves to even
  return std::max<std::int64_t>(1, static_cast<std::int64_t>(rounded));
}

LabelCounts boundary_counts(const at::Tensor& truth_hw, const at::Tensor& prediction_hw, std::int64_t num_labels,
                            double ratio, BoundaryVoid void_rule) {
  require_label_maps("boundary_counts", truth_hw, prediction_hw);
  Labels truth(truth_hw, num_labels), prediction(prediction_hw, num_labels);
  if (void_rule == BoundaryVoid::cleared) prediction.clear_where_void(truth_hw);
  const std::int64_t width = boundary_width_px(truth.height, truth.width, ratio);
  keep_boundary(truth, width);
  keep_boundary(prediction, width);
  if (void_rule == BoundaryVoid::dropped) prediction.clear_where_void(truth_hw);
  LabelCounts counts(num_labels);
  for (std::size_t i = 0; i < truth.of.size(); ++i) {
    const std::uint8_t t = truth.of[i], p = prediction.of[i];
    if (t != kNoLabel) ++counts.truth[t];
    if (p != kNoLabel) ++counts.predicted[p];
    if (t != kNoLabel && t == p) ++counts.intersection[t];
  }
  return counts;
}

std::int64_t BoundaryTolerance::in(std::int64_t height_px, std::int64_t width_px) const {
  return pixels.value_or(static_cast<std::int64_t>(std::ceil(ratio * diagonal(height_px, width_px))));
}

std::vector<std::optional<double>> boundary_f(const at::Tensor& truth_hw, const at::Tensor& prediction_hw,
                                              std::int64_t num_labels, const BoundaryTolerance& tolerance) {
  require_label_maps("boundary_f", truth_hw, prediction_hw);
  Labels truth(truth_hw, num_labels), prediction(prediction_hw, num_labels);
  prediction.clear_where_void(truth_hw);
  const std::array<bool, 256> in_truth = labels_in(truth), in_prediction = labels_in(prediction);
  const std::int64_t radius = tolerance.in(truth.height, truth.width);
  std::vector<std::optional<double>> values(static_cast<std::size_t>(num_labels));
  for (std::size_t label = 0; label < values.size(); ++label) {
    if (!in_truth[label] && !in_prediction[label]) continue;
    const auto name = static_cast<std::uint8_t>(label);
    values[label] = f_of_edges(davis_edges(truth, name), davis_edges(prediction, name), radius);
  }
  return values;
}

at::Tensor trimap_truth(const at::Tensor& truth_hw, std::int64_t width, Distance distance, TrimapEdges edges) {
  require_label_maps("trimap_truth", truth_hw, truth_hw);
  at::Tensor trimap = truth_hw.contiguous().clone();
  auto* label = trimap.mutable_data_ptr<std::uint8_t>();
  const PixelSet band = dilated(trimap_edges(label, trimap.size(0), trimap.size(1), edges), width, distance);
  for (std::size_t i = 0; i < band.inside.size(); ++i)
    if (band.inside[i] == 0) label[i] = kIgnoreLabel;
  return trimap;
}

}  // namespace seedbed::metrics
