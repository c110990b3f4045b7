#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "metrics/confusion.hpp"
#include "metrics/seed_errors.hpp"
#include "protocol/metric_names.hpp"

namespace seedbed::metrics {

/// One number under its name in the store.
struct NamedValue {
  std::string name;
  std::optional<std::size_t> label;  ///< of one label, 0 = background; none: of all
  double value = 0;
};

/// What metrics of pixels by label are computed from.
struct CountedImages {
  LabelCounts total;
  std::vector<LabelCounts> images;
  ForegroundCounts foreground;
};

/// The metrics of `names` that are of counts, in their order; what is undefined or infinite is left out.
std::vector<NamedValue> count_metrics(const std::vector<protocol::MetricName>& names, const CountedImages& counted);

}  // namespace seedbed::metrics
