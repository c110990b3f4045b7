#pragma once

#include <optional>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "dataset/dataset.hpp"
#include "metrics/confusion.hpp"
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

/// Adds miou_union, pixel_accuracy, and iou of every label that has one.
void add_iou_metrics(const metrics::LabelCounts& counts, const ScoredUnder& under,
                     const std::vector<std::string>& names, std::vector<protocol::Metric>& metrics);

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
