#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include "evaluation_goldens.hpp"
#include "metrics/confusion.hpp"
#include "support/tensor_matchers.hpp"

namespace seedbed::testing {
namespace {

using namespace metrics;  // NOLINT(google-build-using-namespace): this file compares metrics and nothing else

using Values = std::vector<std::optional<double>>;

const std::map<std::string, PredictedVoid> kRules{{"as_background", PredictedVoid::background},
                                                  {"as_error", PredictedVoid::error},
                                                  {"exclude", PredictedVoid::exclude}};

std::vector<std::int64_t> unions_of(const LabelCounts& counts) {
  std::vector<std::int64_t> unions;
  for (std::size_t k = 0; k < counts.truth.size(); ++k)
    unions.push_back(counts.truth[k] + counts.predicted[k] - counts.intersection[k]);
  return unions;
}

void expect_pooled(const LabelCounts& counts, const nlohmann::json& expected, double tolerance) {
  EXPECT_EQ(counts.intersection, expected["tp"].get<std::vector<std::int64_t>>());
  EXPECT_EQ(counts.truth, expected["gt"].get<std::vector<std::int64_t>>());
  EXPECT_EQ(counts.predicted, expected["pred"].get<std::vector<std::int64_t>>());
  EXPECT_EQ(unions_of(counts), expected["union"].get<std::vector<std::int64_t>>());
  expect_values(iou(counts), expected["iou"], tolerance);
  expect_values(precision(counts), expected["precision"], tolerance);
  expect_values(recall(counts), expected["recall"], tolerance);
  expect_values(dice(counts), expected["dice"], tolerance);
  expect_value(pixel_accuracy(counts), expected["pixel_accuracy"], tolerance);
  expect_value(mean_defined(recall(counts)), expected["mean_accuracy"], tolerance);
  expect_value(mean_defined(precision(counts)), expected["mean_precision_pred_present"], tolerance);
  expect_value(frequency_weighted_iou(counts), expected["fw_iou"], tolerance);
  const nlohmann::json& means = expected["mean_iou"];
  expect_value(mean_iou(counts, MeanOver::unions), means["union_present"], tolerance);
  expect_value(mean_iou(counts, MeanOver::truth), means["gt_present"], tolerance);
  expect_value(mean_iou(counts, MeanOver::all), means["all_absent_zero"], tolerance);
  Values foreground = iou(counts);
  foreground.erase(foreground.begin());
  expect_value(mean_defined(foreground), means["foreground_union_present"], tolerance);
}

void expect_per_image(const std::vector<LabelCounts>& images, const nlohmann::json& expected, double tolerance) {
  Values means, per_class;
  for (const LabelCounts& counts : images) means.push_back(mean_iou(counts, MeanOver::unions));
  for (std::size_t k = 0; k < images.front().truth.size(); ++k) {
    Values values;
    for (const LabelCounts& counts : images) values.push_back(iou(counts)[k]);
    per_class.push_back(mean_defined(values));
  }
  expect_values(means, expected["image_mean_iou"], tolerance);
  expect_value(mean_defined(means), expected["mIoU_I"], tolerance);
  expect_value(mean_defined(per_class), expected["mIoU_C"], tolerance);
}

}  // namespace

void expect_confusion(const EvaluationGolden& golden) {
  const auto inputs = golden.open_inputs();
  std::size_t compared = 0;
  const nlohmann::json cases = golden.expected_json();
  for (const auto& [name, entry] : cases.items()) {
    if (!entry.contains("classes")) continue;
    const auto num_labels = entry["classes"].get<std::int64_t>();
    for (const auto& [rule_name, rule] : kRules) {
      if (!entry.contains(rule_name)) continue;
      SCOPED_TRACE(name + " " + rule_name);
      at::Tensor sum = at::zeros({num_labels, num_labels + 1}, at::kLong);
      std::vector<LabelCounts> images;
      for (std::int64_t i = 0; i < entry["images"].get<std::int64_t>(); ++i) {
        const auto part = [&](const char* what) { return inputs->tensor(name + "." + what + "." + std::to_string(i)); };
        const at::Tensor one = count_confusion(part("gt"), part("pred"), num_labels, rule);
        images.push_back(label_counts(one));
        sum += one;
      }
      EXPECT_THAT(sum, equals_tensor(inputs->tensor(name + ".confusion." + rule_name)));
      expect_pooled(label_counts(sum), entry[rule_name], golden.tolerance);
      expect_per_image(images, entry[rule_name], golden.tolerance);
      ++compared;
    }
  }
  EXPECT_GT(compared, 0U);
}

}  // namespace seedbed::testing
