#include "stages/score_report.hpp"

#include <filesystem>

#include <ATen/ATen.h>
#include <nlohmann/json.hpp>

#include "weights/safetensors.hpp"

namespace seedbed::stages {
namespace {

using Field = std::vector<std::int64_t> metrics::LabelCounts::*;

at::Tensor stacked(const std::vector<metrics::LabelCounts>& counts, Field field) {
  std::vector<at::Tensor> rows;
  for (const metrics::LabelCounts& image : counts) rows.push_back(as_row(image.*field));
  return rows.empty() ? at::zeros({0, 0}, at::kLong) : at::cat(rows);
}

}  // namespace

std::vector<std::string> label_names(const dataset::ClassTable& classes) {
  std::vector<std::string> names{"background"};
  names.insert(names.end(), classes.names.begin(), classes.names.end());
  return names;
}

at::Tensor as_row(const std::vector<std::int64_t>& counts) { return at::tensor(counts, at::kLong).unsqueeze(0); }

std::vector<protocol::MetricName> metric_names(const nlohmann::ordered_json& settings) {
  return protocol::metric_names_from(settings.value("metrics", std::vector<std::string>()));
}

std::vector<protocol::MetricName> recorded_metrics(const nlohmann::ordered_json& settings) {
  std::vector<std::string> names{"miou_union", "pixel_accuracy", "iou"};
  for (const std::string& name : settings.value("metrics", std::vector<std::string>())) names.push_back(name);
  return protocol::metric_names_from(names);
}

void add_values(const std::vector<metrics::NamedValue>& values, const ScoredUnder& under,
                const std::vector<std::string>& labels, std::vector<protocol::Metric>& metrics) {
  for (const metrics::NamedValue& value : values)
    metrics.push_back({value.name, value.label ? labels.at(*value.label) : "", value.value, "1", under.target,
                       under.rule, under.rule_value});
}

void write_per_image(const std::filesystem::path& folder, const PerImageCounts& images) {
  std::filesystem::create_directories(folder);
  weights::write_safetensors(folder / "per_image.safetensors",
                             {{"intersection", stacked(images.counts, &metrics::LabelCounts::intersection)},
                              {"predicted", stacked(images.counts, &metrics::LabelCounts::predicted)},
                              {"truth", stacked(images.counts, &metrics::LabelCounts::truth)}},
                             {{"images", nlohmann::ordered_json(images.image_ids).dump()}});
}

void write_counts(const std::filesystem::path& folder, const at::Tensor& intersection_tk,
                  const at::Tensor& predicted_tk, const at::Tensor& truth_tk, const std::vector<double>& values) {
  weights::OrderedTensors tensors{{"intersection", intersection_tk}, {"predicted", predicted_tk}, {"truth", truth_tk}};
  if (!values.empty()) tensors.emplace_back("thresholds", at::tensor(values, at::kDouble));
  std::filesystem::create_directories(folder);
  weights::write_safetensors(folder / "counts.safetensors", tensors);
}

}  // namespace seedbed::stages
