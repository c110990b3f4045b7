#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "metrics/causal_curve.hpp"
#include "metrics/count_metrics.hpp"
#include "protocol/metric_names.hpp"

namespace seedbed::metrics {

/// How the images of a metric of MetricOf::causal are shown.
CausalForm causal_form_of(const protocol::MetricName& name);

/// Whether the metric is of logits; else it is of their sigmoids.
bool is_of_logits(const protocol::MetricName& name);

/// Insertion and deletion under any names of MetricOf::causal; others are left aside. An area is of one pair of an image
/// and a class that it shows; the values are means over pairs. Threads: [one-at-a-time].
class CausalScorer {
 public:
  explicit CausalScorer(const std::vector<protocol::MetricName>& names);

  /// The curves that are wanted of each pair: names that differ in the score alone share one.
  const std::set<CausalForm>& forms() const { return forms_; }

  /// Throws: ContractError for a curve of another length.
  void add(std::size_t label, const CausalForm& form, const std::vector<double>& logits);

  /// In the order of the names, over all pairs and then label by label; nothing without pairs.
  std::vector<NamedValue> values() const;

  /// The mean curve of a name: steps + 1 scores; empty without pairs.
  std::vector<double> mean_curve(const protocol::MetricName& name) const;

  const std::vector<protocol::MetricName>& names() const { return names_; }

 private:
  struct Tally {
    std::map<std::size_t, std::vector<double>> areas;  ///< by label, one a pair
    std::vector<double> sums;                          ///< of the pairs' curves
    std::int64_t pairs = 0;
  };

  std::vector<protocol::MetricName> names_;
  std::set<CausalForm> forms_;
  std::vector<Tally> tallies_;  ///< one a name
};

}  // namespace seedbed::metrics
