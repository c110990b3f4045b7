#include "metrics/map_scorer.hpp"

#include <algorithm>
#include <iterator>
#include <set>
#include <string>

#include <ATen/ATen.h>

#include "seedbed/error.hpp"
#include "seedbed/types.hpp"

namespace seedbed::metrics {
namespace {

using protocol::MetricName;
using protocol::MetricOf;

// MaxBoxAccV2 averages over these.
const std::vector<double> kOverlapsOfV2{0.3, 0.5, 0.7};

bool is_pointing(const MetricName& name) { return name.text.starts_with("pointing_"); }
bool is_pixel_precision(const MetricName& name) { return name.is("pixel_ap") || name.is("mean_pixel_ap"); }
bool is_energy(const MetricName& name) { return name.text.starts_with("energy_inside"); }

bool is_box_metric(const MetricName& name) { return name.text.starts_with("max_box_acc"); }
bool is_v2(const MetricName& name) { return name.text.starts_with("max_box_acc_v2"); }

// A name without a number has version 1's overlap.
double overlap_of(const MetricName& name) { return name.number == 0 ? 0.5 : name.number / 100; }

std::optional<BoxAccuracy> accuracy_for(const std::vector<MetricName>& boxes) {
  std::set<double> overlaps;
  for (const MetricName& name : boxes) {
    if (is_v2(name)) {
      overlaps.insert(kOverlapsOfV2.begin(), kOverlapsOfV2.end());
    } else {
      overlaps.insert(overlap_of(name));
    }
  }
  if (overlaps.empty()) return std::nullopt;
  return BoxAccuracy({overlaps.begin(), overlaps.end()});
}

std::vector<std::int64_t> classes_in(const at::Tensor& truth_hw) {
  std::array<bool, 256> present{};
  const at::Tensor truth = truth_hw.contiguous();
  const auto* label = truth.const_data_ptr<std::uint8_t>();
  for (std::int64_t i = 0; i < truth.numel(); ++i) present[label[i]] = true;
  std::vector<std::int64_t> classes;
  for (std::size_t k = 1; k < static_cast<std::size_t>(kUndecidedLabel); ++k)
    if (present[k]) classes.push_back(static_cast<std::int64_t>(k));
  return classes;
}

void put(const MetricName& name, const std::optional<double>& value, std::vector<NamedValue>& values) {
  if (value) values.push_back({name.text, std::nullopt, *value});
}

void put_labels(const MetricName& name, const Values& labels, std::vector<NamedValue>& values) {
  for (std::size_t label = 0; label < labels.size(); ++label)
    if (labels[label]) values.push_back({name.text, label, *labels[label]});
}

}  // namespace

MapScorer::MapScorer(const std::vector<MetricName>& names, std::int64_t num_labels) {
  for (const MetricName& name : names)
    if (name.definition->of == MetricOf::maps || is_box_metric(name)) names_.push_back(name);
  for (const MetricName& name : names_) {
    if (is_pixel_precision(name)) pixels_.resize(static_cast<std::size_t>(num_labels));
    if (is_pointing(name)) games_.emplace(name.number, PointingGame(num_labels));
  }
  boxes_ = accuracy_for(protocol::names_of(names_, MetricOf::boxes));
  annotated_ = accuracy_for(protocol::names_of(names_, MetricOf::annotated_boxes));
}

void MapScorer::add(const MapImage& image) {
  const at::Tensor& maps = image.maps_phw;
  if (maps.dim() != 3 || maps.size(0) != std::ssize(image.planes) || maps.sizes().slice(1) != image.truth_hw.sizes() ||
      maps.scalar_type() != at::kFloat)
    throw ContractError("MapScorer", "maps have the mask's size and a plane for each label", image.truth_hw.toString(),
                        maps.toString());
  const auto map_of = [&](std::int64_t label) {
    const auto plane = std::ranges::find(image.planes, label);
    return plane != image.planes.end() ? maps[plane - image.planes.begin()]
                                       : at::zeros(image.truth_hw.sizes(), at::kFloat);
  };
  for (const std::int64_t label : classes_in(image.truth_hw)) add_pair(map_of(label), label, image);
  if (!annotated_) return;
  for (auto next = image.annotated.begin(); next != image.annotated.end();) {
    const auto [begin, end] = image.annotated.equal_range(next->first);
    std::vector<Box> boxes;
    std::transform(begin, end, std::back_inserter(boxes), [](const auto& box) { return box.second; });
    annotated_->add(map_of(next->first), boxes);
    next = end;
  }
}

void MapScorer::add_pair(const at::Tensor& map_hw, std::int64_t label, const MapImage& image) {
  if (!pixels_.empty()) pixels_.at(static_cast<std::size_t>(label)).add(map_hw, image.truth_hw, label);
  if (!games_.empty()) {
    const Point point = largest_at(map_hw);
    for (auto& [tolerance, game] : games_) game.add(label, points_at(image.truth_hw, label, point, tolerance));
  }
  if (std::ranges::any_of(names_, is_energy)) {
    energies_[0].push_back(energy_inside(map_hw, image.truth_hw, label, false));
    energies_[1].push_back(energy_inside(map_hw, image.truth_hw, label, true));
  }
  if (!boxes_) return;
  const std::vector<Box> boxes = boxes_of_objects(image.instances_hw, image.truth_hw, label);
  if (!boxes.empty()) boxes_->add(map_hw, boxes);
}

MapScorer& MapScorer::operator+=(const MapScorer& later) {
  for (std::size_t label = 0; label < pixels_.size(); ++label) pixels_[label] += later.pixels_[label];
  for (auto& [tolerance, game] : games_) game += later.games_.at(tolerance);
  for (std::size_t i = 0; i < energies_.size(); ++i)
    energies_[i].insert(energies_[i].end(), later.energies_[i].begin(), later.energies_[i].end());
  if (boxes_) *boxes_ += *later.boxes_;
  if (annotated_) *annotated_ += *later.annotated_;
  return *this;
}

void MapScorer::add_box_value(const MetricName& name, std::vector<NamedValue>& values) const {
  const BoxAccuracy& accuracy = name.definition->of == MetricOf::boxes ? *boxes_ : *annotated_;
  const bool is_any = is_v2(name) || name.text.starts_with("max_box_acc_any_");
  const auto best = [&](double overlap) {
    const auto found = std::ranges::find(accuracy.overlaps(), overlap);
    return accuracy.best(is_any ? Contours::any : Contours::largest,
                         static_cast<std::size_t>(found - accuracy.overlaps().begin()));
  };
  if (!is_v2(name)) return put(name, best(overlap_of(name)), values);
  Values of_overlaps;
  for (const double overlap : kOverlapsOfV2) of_overlaps.push_back(best(overlap));
  put(name, mean_defined(of_overlaps), values);
}

void MapScorer::add_values(const MetricName& name, std::vector<NamedValue>& values) const {
  if (is_box_metric(name)) return add_box_value(name, values);
  if (is_energy(name)) return put(name, mean_defined(energies_[name.is("energy_inside") ? 0 : 1]), values);
  if (is_pointing(name)) {
    const PointingGame& game = games_.at(name.number);
    if (name.is("pointing_*px_all_classes")) return put(name, game.mean_all_classes(), values);
    if (name.is("pointing_*px_pooled")) return put(name, game.pooled(), values);
    put(name, game.mean_seen(), values);
    return put_labels(name, game.accuracy(), values);
  }
  Values labels;
  PixelPrecision pooled;
  for (const PixelPrecision& label : pixels_) {
    labels.push_back(label.value());
    pooled += label;
  }
  if (name.is("mean_pixel_ap")) return put(name, mean_defined(labels), values);
  put(name, pooled.value(), values);
  put_labels(name, labels, values);
}

std::vector<NamedValue> MapScorer::values() const {
  std::vector<NamedValue> values;
  for (const MetricName& name : names_) add_values(name, values);
  return values;
}

ProbabilityScorer::ProbabilityScorer(const std::vector<MetricName>& names)
    : names_(protocol::names_of(names, MetricOf::probabilities)) {
  for (const MetricName& name : names_)
    calibrations_.emplace_back(static_cast<std::int64_t>(name.number),
                               name.is("ece_*_lower") ? BinSide::lower : BinSide::upper);
}

void ProbabilityScorer::add(const at::Tensor& probabilities_phw, const std::vector<std::int64_t>& planes,
                            const at::Tensor& truth_hw) {
  if (probabilities_phw.dim() != 3 || probabilities_phw.size(0) != std::ssize(planes) || planes.empty() ||
      probabilities_phw.sizes().slice(1) != truth_hw.sizes() || probabilities_phw.scalar_type() != at::kFloat)
    throw ContractError("ProbabilityScorer", "probabilities have the mask's size and a plane for each label",
                        truth_hw.toString(), probabilities_phw.toString());
  const auto [confidences, indices] = probabilities_phw.max(0);
  const at::Tensor predicted = at::tensor(planes, at::kLong).index_select(0, indices.flatten()).view_as(indices);
  const at::Tensor counted = truth_hw.ne(kIgnoreLabel);
  const at::Tensor confidences_n = confidences.masked_select(counted);
  const at::Tensor correct_n = predicted.eq(truth_hw).masked_select(counted);
  for (Calibration& calibration : calibrations_) calibration.add(confidences_n, correct_n);
}

ProbabilityScorer& ProbabilityScorer::operator+=(const ProbabilityScorer& later) {
  for (std::size_t i = 0; i < calibrations_.size(); ++i) calibrations_[i] += later.calibrations_[i];
  return *this;
}

std::vector<NamedValue> ProbabilityScorer::values() const {
  std::vector<NamedValue> values;
  for (std::size_t i = 0; i < names_.size(); ++i) {
    const Calibration& calibration = calibrations_[i];
    if (names_[i].is("mce_*")) {
      put(names_[i], calibration.maximum_error(), values);
    } else if (names_[i].is("rmsce_*")) {
      put(names_[i], calibration.root_mean_squared_error(), values);
    } else {
      put(names_[i], calibration.expected_error(), values);
    }
  }
  return values;
}

}  // namespace seedbed::metrics
