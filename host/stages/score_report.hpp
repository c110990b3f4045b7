#pragma once

#include <optional>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "dataset/dataset.hpp"
#include "metrics/confusion.hpp"
#include "metrics/count_metrics.hpp"
#include "protocol/stage.hpp"

namespace seedbed::stages {

/// What made the labels that are scored; enters every metric.
struct ScoredUnder {
  std::string target;
  std::string rule;  ///< "" | "fixed" | "chosen" | "oracle"
  std::optional<double> rule_value;
};

/// "background", then the classes.
std::vector<std::string> label_names(const dataset::ClassTable& classes);

/// miou_union, pixel_accuracy and iou, which are always recorded, then those of the setting `metrics`.
std::vector<protocol::MetricName> recorded_metrics(const nlohmann::ordered_json& settings);

/// Those of the setting `metrics` alone. Throws: UserError for an unknown one.
std::vector<protocol::MetricName> metric_names(const nlohmann::ordered_json& settings);

/// Adds values under their names; `labels` names those of one label.
void add_values(const std::vector<metrics::NamedValue>& values, const ScoredUnder& under,
                const std::vector<std::string>& labels, std::vector<protocol::Metric>& metrics);

/// Counts of each image under the reported rule, for statistics over images.
struct PerImageCounts {
  std::vector<std::string> image_ids;
  std::vector<metrics::LabelCounts> counts;
};

/// Writes per_image.safetensors into `folder`.
void write_per_image(const std::filesystem::path& folder, const PerImageCounts& images);

/// Writes counts.safetensors: [T,K] int64 each, and the values where the counts are of a sweep.
void write_counts(const std::filesystem::path& folder, const at::Tensor& intersection_tk,
                  const at::Tensor& predicted_tk, const at::Tensor& truth_tk, const std::vector<double>& values);

/// One row [1,K] a member.
at::Tensor as_row(const std::vector<std::int64_t>& counts);

}  // namespace seedbed::stages
