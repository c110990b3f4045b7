#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "metrics/confusion.hpp"
#include "metrics/sweep.hpp"
#include "protocol/metric_names.hpp"

namespace seedbed::evaluation {

/// What is scored and how: the worker's question `evaluate` (host/stages/README.md).
struct Settings {
  std::filesystem::path truth;
  std::filesystem::path predictions;  ///< or ""
  std::filesystem::path scores;       ///< or ""
  std::filesystem::path images;       ///< list of ids, or "" for all of the truth
  std::vector<std::string> labels;    ///< K names, the background first
  metrics::PredictedVoid predicted_void = metrics::PredictedVoid::refuse;
  std::vector<protocol::MetricName> metrics;
  bool voc_colours = false;
  bool resize = false;
  metrics::SweptBackground background = metrics::SweptBackground::constant;
  std::vector<double> values;   ///< of the sweep
  std::optional<double> value;  ///< the background that is really used
  std::size_t threads = 1;

  std::int64_t num_labels() const { return static_cast<std::int64_t>(labels.size()); }
};

/// Throws: UserError for unknown names, malformed values, metrics that cannot be computed from what is given, and a
/// classes file that cannot be read.
Settings settings_from(const nlohmann::ordered_json& request);

}  // namespace seedbed::evaluation
