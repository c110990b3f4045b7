#include "metrics/causal_scorer.hpp"

#include <cmath>
#include <numeric>
#include <string_view>

#include "seedbed/error.hpp"

namespace seedbed::metrics {
namespace {

using protocol::MetricName;

bool says(const MetricName& name, std::string_view word) { return name.text.find(word) != std::string::npos; }

double sigmoid(double logit) { return 1 / (1 + std::exp(-logit)); }

double mean(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

}  // namespace

CausalForm causal_form_of(const MetricName& name) {
  return {says(name, "deletion_") ? CausalMetric::deletion : CausalMetric::insertion,
          says(name, "_blur_") ? CausalBaseline::blur : CausalBaseline::grey, static_cast<std::int64_t>(name.number)};
}

bool is_of_logits(const MetricName& name) { return name.text.ends_with("_logit"); }

CausalScorer::CausalScorer(const std::vector<MetricName>& names)
    : names_(protocol::names_of(names, protocol::MetricOf::causal)), tallies_(names_.size()) {
  for (const MetricName& name : names_) forms_.insert(causal_form_of(name));
}

void CausalScorer::add(std::size_t label, const CausalForm& form, const std::vector<double>& logits) {
  if (std::ssize(logits) != form.steps + 1)
    throw ContractError("CausalScorer", "a curve has a score at both ends of each step", std::to_string(form.steps + 1),
                        std::to_string(logits.size()));
  for (std::size_t i = 0; i < names_.size(); ++i) {
    if (causal_form_of(names_[i]) != form) continue;
    std::vector<double> scores = logits;
    if (!is_of_logits(names_[i])) {
      for (double& score : scores) score = sigmoid(score);
    }
    Tally& tally = tallies_[i];
    tally.areas[label].push_back(causal_area(scores));
    tally.sums.resize(scores.size());
    for (std::size_t k = 0; k < scores.size(); ++k) tally.sums[k] += scores[k];
    ++tally.pairs;
  }
}

std::vector<NamedValue> CausalScorer::values() const {
  std::vector<NamedValue> values;
  for (std::size_t i = 0; i < names_.size(); ++i) {
    std::vector<double> pairs;
    for (const auto& [label, areas] : tallies_[i].areas) pairs.insert(pairs.end(), areas.begin(), areas.end());
    if (pairs.empty()) continue;
    values.push_back({names_[i].text, std::nullopt, mean(pairs)});
    for (const auto& [label, areas] : tallies_[i].areas) values.push_back({names_[i].text, label, mean(areas)});
  }
  return values;
}

std::vector<double> CausalScorer::mean_curve(const MetricName& name) const {
  for (std::size_t i = 0; i < names_.size(); ++i) {
    if (names_[i].text != name.text) continue;
    std::vector<double> curve = tallies_[i].sums;
    for (double& score : curve) score /= static_cast<double>(tallies_[i].pairs);
    return curve;
  }
  return {};
}

}  // namespace seedbed::metrics
