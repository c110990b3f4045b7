#include "metrics/count_metrics.hpp"

#include <cmath>
#include <functional>
#include <map>

#include "seedbed/error.hpp"

namespace seedbed::metrics {
namespace {

using One = std::function<std::optional<double>(const CountedImages&)>;
using ByLabel = Values (*)(const LabelCounts&);

std::optional<double> mean_of_classes(Values values) {
  values.erase(values.begin());
  return mean_defined(values);
}

std::optional<double> mean_over_images(const CountedImages& counted) {
  Values means;
  for (const LabelCounts& image : counted.images) means.push_back(mean_iou(image, MeanOver::unions));
  return mean_defined(means);
}

std::optional<double> mean_of_label_means(const CountedImages& counted) {
  std::vector<Values> of_images;
  for (const LabelCounts& image : counted.images) of_images.push_back(iou(image));
  Values means;
  for (std::size_t label = 0; label < counted.total.truth.size(); ++label) {
    Values values;
    for (const Values& image : of_images) values.push_back(image[label]);
    means.push_back(mean_defined(values));
  }
  return mean_defined(means);
}

One of_total(std::function<std::optional<double>(const LabelCounts&)> value) {
  return [value = std::move(value)](const CountedImages& counted) { return value(counted.total); };
}

One mean_over(MeanOver over) {
  return of_total([over](const LabelCounts& counts) { return mean_iou(counts, over); });
}

const std::map<std::string_view, One>& ones() {
  static const std::map<std::string_view, One> known{
      {"miou_union", mean_over(MeanOver::unions)},
      {"miou_truth", mean_over(MeanOver::truth)},
      {"miou_all", mean_over(MeanOver::all)},
      {"miou_foreground", of_total([](const LabelCounts& c) { return mean_of_classes(iou(c)); })},
      {"miou_images", mean_over_images},
      {"miou_classes", mean_of_label_means},
      {"pixel_accuracy", of_total(pixel_accuracy)},
      {"mean_precision", of_total([](const LabelCounts& c) { return mean_defined(precision(c)); })},
      {"mean_recall", of_total([](const LabelCounts& c) { return mean_defined(recall(c)); })},
      {"mean_dice", of_total([](const LabelCounts& c) { return mean_defined(dice(c)); })},
      {"mean_f1_defined", of_total([](const LabelCounts& c) { return mean_defined(f1(c)); })},
      {"fw_iou", of_total(frequency_weighted_iou)},
      {"foreground_precision", [](const CountedImages& c) { return c.foreground.precision(); }},
      {"foreground_recall", [](const CountedImages& c) { return c.foreground.recall(); }},
      {"foreground_iou", [](const CountedImages& c) { return c.foreground.iou(); }},
      {"mean_fp_over_union", of_total([](const LabelCounts& c) { return mean_of_classes(fp_over_union(c)); })},
      {"mean_fn_over_union", of_total([](const LabelCounts& c) { return mean_of_classes(fn_over_union(c)); })},
      {"mean_fp_over_tp", of_total([](const LabelCounts& c) { return mean_foreground_with_hits(fp_over_tp(c), c); })},
      {"mean_fn_over_tp", of_total([](const LabelCounts& c) { return mean_foreground_with_hits(fn_over_tp(c), c); })}};
  return known;
}

const std::map<std::string_view, ByLabel>& by_label() {
  static const std::map<std::string_view, ByLabel> known{{"iou", iou},
                                                         {"precision", precision},
                                                         {"recall", recall},
                                                         {"dice", dice},
                                                         {"fp_over_union", fp_over_union},
                                                         {"fn_over_union", fn_over_union},
                                                         {"fp_over_tp", fp_over_tp},
                                                         {"fn_over_tp", fn_over_tp},
                                                         {"false_positive_rate", false_positive_rate},
                                                         {"false_negative_rate", false_negative_rate}};
  return known;
}

}  // namespace

std::vector<NamedValue> count_metrics(const std::vector<protocol::MetricName>& names, const CountedImages& counted) {
  std::vector<NamedValue> found;
  const auto add = [&](const std::string& name, std::optional<std::size_t> label, const std::optional<double>& value) {
    if (value && std::isfinite(*value)) found.push_back({name, label, *value});
  };
  for (const protocol::MetricName& name : protocol::names_of(names, protocol::MetricOf::counts)) {
    if (const auto one = ones().find(name.text); one != ones().end()) {
      add(name.text, std::nullopt, one->second(counted));
      continue;
    }
    const auto labels = by_label().find(name.text);
    if (labels == by_label().end())
      throw ContractError("count_metrics", "every metric of counts is computed", "a name that is known here",
                          "`" + name.text + "`");
    const Values values = labels->second(counted.total);
    for (std::size_t label = 0; label < values.size(); ++label) add(name.text, label, values[label]);
  }
  return found;
}

}  // namespace seedbed::metrics
