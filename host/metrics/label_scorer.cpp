#include "metrics/label_scorer.hpp"

#include <optional>
#include <string_view>

#include <ATen/ATen.h>

#include "seedbed/types.hpp"

namespace seedbed::metrics {
namespace {

using protocol::MetricName;
using protocol::MetricOf;

std::optional<BoundaryVoid> boundary_void(const MetricName& name) {
  if (!name.text.starts_with("boundary_iou_")) return std::nullopt;
  return name.definition->form.find("_void_cleared") != std::string_view::npos ? BoundaryVoid::cleared
                                                                               : BoundaryVoid::dropped;
}

bool is_mean_of_images(const MetricName& name) { return name.text.ends_with("_images"); }

BoundaryTolerance tolerance_of(const MetricName& name) {
  if (name.is("boundary_f_*px")) return {.pixels = static_cast<std::int64_t>(name.number)};
  return {.ratio = name.number, .pixels = std::nullopt};
}

at::Tensor trimap_of(const MetricName& name, const at::Tensor& truth_hw) {
  const bool disk = name.definition->form.find("_disk_") != std::string_view::npos;
  const bool all = name.text.ends_with("_all_edges");
  return trimap_truth(truth_hw, static_cast<std::int64_t>(name.number),
                      disk ? Distance::euclidean : Distance::chessboard, all ? TrimapEdges::all : TrimapEdges::classes);
}

/// Truth and prediction where predicted void has become what the rule says.
struct Pair {
  at::Tensor truth_hw;
  at::Tensor prediction_hw;
};

Pair with_void_settled(const at::Tensor& truth_hw, const at::Tensor& prediction_hw, PredictedVoid rule) {
  if (rule == PredictedVoid::background)
    return {truth_hw, prediction_hw.masked_fill(prediction_hw.ge(kUndecidedLabel), kBackgroundLabel)};
  if (rule == PredictedVoid::exclude)
    return {truth_hw.masked_fill(prediction_hw.ge(kUndecidedLabel), kIgnoreLabel), prediction_hw};
  return {truth_hw, prediction_hw};
}

}  // namespace

LabelScorer::LabelScorer(const std::vector<MetricName>& names, std::int64_t num_labels, PredictedVoid rule)
    : names_(names), rule_(rule), confusion_(at::zeros({num_labels, num_labels + 1}, at::kLong)), total_(num_labels) {
  for (const MetricName& name : protocol::names_of(names, MetricOf::outlines))
    outlines_.push_back({name, LabelCounts(num_labels), {}});
}

void LabelScorer::add(const at::Tensor& truth_hw, const at::Tensor& prediction_hw) {
  const at::Tensor confusion = count_confusion(truth_hw, prediction_hw, total_.num_labels(), rule_);
  confusion_ = confusion_ + confusion;  // copies of a scorer share the tensor
  images_.push_back(label_counts(confusion));
  total_ += images_.back();
  if (outlines_.empty()) return;
  const Pair pair = with_void_settled(truth_hw, prediction_hw, rule_);
  for (Outline& outline : outlines_) add_outline(outline, pair.truth_hw, pair.prediction_hw);
}

void LabelScorer::add_outline(Outline& outline, const at::Tensor& truth_hw, const at::Tensor& prediction_hw) const {
  const MetricName& name = outline.name;
  const std::int64_t num_labels = total_.num_labels();
  if (const auto rule = boundary_void(name)) {
    const LabelCounts counts = boundary_counts(truth_hw, prediction_hw, num_labels, name.number, *rule);
    outline.total += counts;
    if (is_mean_of_images(name)) outline.of_images.push_back(mean_iou(counts, MeanOver::unions));
  } else if (name.text.starts_with("trimap_miou_")) {
    outline.total += label_counts(count_confusion(trimap_of(name, truth_hw), prediction_hw, num_labels, rule_));
  } else {
    const Values values = boundary_f(truth_hw, prediction_hw, num_labels, tolerance_of(name));
    const bool with_background = name.text.ends_with("_all_labels");
    outline.of_images.insert(outline.of_images.end(), values.begin() + (with_background ? 0 : 1), values.end());
  }
}

LabelScorer& LabelScorer::operator+=(const LabelScorer& later) {
  confusion_ = confusion_ + later.confusion_;
  total_ += later.total_;
  images_.insert(images_.end(), later.images_.begin(), later.images_.end());
  for (std::size_t i = 0; i < outlines_.size(); ++i) {
    outlines_[i].total += later.outlines_[i].total;
    outlines_[i].of_images.insert(outlines_[i].of_images.end(), later.outlines_[i].of_images.begin(),
                                  later.outlines_[i].of_images.end());
  }
  return *this;
}

void LabelScorer::add_values(const Outline& outline, std::vector<NamedValue>& values) const {
  const std::string& name = outline.name.text;
  const bool pooled = outline.of_images.empty();
  const auto mean = pooled ? mean_iou(outline.total, MeanOver::unions) : mean_defined(outline.of_images);
  if (mean) values.push_back({name, std::nullopt, *mean});
  if (!outline.name.definition->by_class) return;
  const Values labels = iou(outline.total);
  for (std::size_t label = 0; label < labels.size(); ++label)
    if (labels[label]) values.push_back({name, label, *labels[label]});
}

std::vector<NamedValue> LabelScorer::values() const {
  std::vector<NamedValue> values = count_metrics(names_, {total_, images_, foreground_counts(confusion_)});
  for (const Outline& outline : outlines_) add_values(outline, values);
  return values;
}

}  // namespace seedbed::metrics
