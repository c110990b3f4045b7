#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include "evaluation_goldens.hpp"
#include "metrics/confusion.hpp"
#include "metrics/seed_errors.hpp"
#include "support/tensor_matchers.hpp"

namespace seedbed::testing {
namespace {

using namespace metrics;  // NOLINT(google-build-using-namespace): this file compares metrics and nothing else

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

void expect_seed_errors(const LabelCounts& counts, const nlohmann::json& expected, double tolerance) {
  expect_values(fp_over_union(counts), expected["fp_over_union"], tolerance);
  expect_values(fn_over_union(counts), expected["fn_over_union"], tolerance);
  const Values fp = fp_over_tp(counts), fn = fn_over_tp(counts);
  expect_values(fp, expected["fp_over_tp"], tolerance);
  expect_values(fn, expected["fn_over_tp"], tolerance);
  expect_value(mean_foreground_with_hits(fp, counts), expected["mean_fp_over_tp_foreground"], tolerance);
  expect_value(mean_foreground_with_hits(fn, counts), expected["mean_fn_over_tp_foreground"], tolerance);
  expect_values(false_positive_rate(counts), expected["false_positive_rate"], tolerance);
  expect_values(false_negative_rate(counts), expected["false_negative_rate"], tolerance);
}

void expect_foreground(const ForegroundCounts& counts, const nlohmann::json& expected, double tolerance) {
  expect_value(counts.precision(), expected["precision"], tolerance);
  expect_value(counts.recall(), expected["recall"], tolerance);
  expect_value(counts.iou(), expected["iou"], tolerance);
}

// What published tools print of the same counts; a tool that failed has an `error`, one not run is not listed.
void expect_printed_by_others(const std::string& rule, const LabelCounts& counts, const nlohmann::json& printed) {
  const auto expect = [&](const char* tool, const char* name, const std::optional<double>& value) {
    if (!printed.contains(tool) || !printed[tool].contains(name)) return;
    SCOPED_TRACE(std::string(tool) + " " + name);
    expect_value(value, printed[tool][name], kFloat32Tolerance);
  };
  if (rule == "exclude") {
    expect("ToCo pseudo_scores", "miou", mean_iou(counts, MeanOver::truth));
    expect("ToCo pseudo_scores", "pAcc", pixel_accuracy(counts));
    expect("ToCo pseudo_scores", "mAcc", mean_defined(recall(counts)));
  }
  if (rule == "as_background") {
    expect("irn eval_sem_seg", "miou", mean_iou(counts, MeanOver::unions));
    expect("irn eval_sem_seg", "fp_bg", fp_over_union(counts)[0]);
    expect("irn eval_sem_seg", "fn_bg", fn_over_union(counts)[0]);
  }
  if (rule != "as_error") return;
  expect("SEAM evaluation.py", "mIoU", mean_iou(counts, MeanOver::all));
  expect("mmseg IoUMetric nan_to_num=0", "mIoU", mean_iou(counts, MeanOver::all));
  const char* mmseg = "mmseg IoUMetric nan_to_num=None";
  expect(mmseg, "aAcc", pixel_accuracy(counts));
  expect(mmseg, "mIoU", mean_iou(counts, MeanOver::unions));
  expect(mmseg, "mAcc", mean_defined(recall(counts)));
  expect(mmseg, "mDice", mean_defined(dice(counts)));
  expect(mmseg, "mFscore", mean_defined(f1(counts)));
  expect(mmseg, "mPrecision", mean_defined(precision(counts)));
  expect(mmseg, "mRecall", mean_defined(recall(counts)));
  expect("torchmetrics", "jaccard_macro", mean_iou(counts, MeanOver::unions));
  expect("torchmetrics", "jaccard_weighted", frequency_weighted_iou(counts));
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
      const LabelCounts pooled = label_counts(sum);
      expect_pooled(pooled, entry[rule_name], golden.tolerance);
      expect_seed_errors(pooled, entry[rule_name], golden.tolerance);
      expect_foreground(foreground_counts(sum), entry[rule_name]["foreground_binary"], golden.tolerance);
      if (rule_name == "as_background") {
        expect_foreground(foreground_counts(pooled), entry[rule_name]["foreground_binary"], golden.tolerance);
      }
      if (entry.contains("printed_by_others")) {
        expect_printed_by_others(rule_name, pooled, entry["printed_by_others"]);
      }
      expect_per_image(images, entry[rule_name], golden.tolerance);
      ++compared;
    }
  }
  EXPECT_GT(compared, 0U);
}

}  // namespace seedbed::testing
