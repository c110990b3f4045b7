#include "metrics/seed_errors.hpp"

#include <limits>

#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include "metrics/label_decision.hpp"
#include "seedbed/error.hpp"

namespace seedbed::metrics {
namespace {

using ::testing::ElementsAre;
using ::testing::Eq;
using ::testing::Optional;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// Three labels: hits 6, 1, 0; predicted 8, 4, 1; true 10, 2, 1.
LabelCounts example() {
  LabelCounts counts(4);
  counts.intersection = {6, 1, 0, 0};
  counts.predicted = {8, 4, 1, 0};
  counts.truth = {10, 2, 1, 0};
  return counts;
}

TEST(SeedErrors, AreSharesOrRatios) {
  const LabelCounts counts = example();
  const auto none = Eq(std::nullopt);
  EXPECT_THAT(fp_over_union(counts), ElementsAre(Optional(2.0 / 12), Optional(0.6), Optional(0.5), none));
  EXPECT_THAT(fn_over_union(counts), ElementsAre(Optional(4.0 / 12), Optional(0.2), Optional(0.5), none));
  EXPECT_THAT(fp_over_tp(counts), ElementsAre(Optional(2.0 / 6), Optional(3.0), Optional(kInfinity), none));
  EXPECT_THAT(fn_over_tp(counts), ElementsAre(Optional(4.0 / 6), Optional(1.0), Optional(kInfinity), none));
  EXPECT_THAT(false_positive_rate(counts),
              ElementsAre(Optional(2.0 / 3), Optional(3.0 / 11), Optional(1.0 / 12), Optional(0.0)));
  EXPECT_THAT(false_negative_rate(counts), ElementsAre(Optional(0.4), Optional(0.5), Optional(1.0), none));
  EXPECT_THAT(mean_foreground_with_hits(fp_over_tp(counts), counts), Optional(3.0));
}

TEST(ForegroundCounts, TakeAnyClassForForeground) {
  const at::Tensor confusion = at::tensor({5, 1, 0, 1, 1, 2, 3, 2, 0, 0, 4, 0}, at::kLong).view({3, 4});
  const ForegroundCounts counts = foreground_counts(confusion);
  EXPECT_EQ(counts.hits, 9);
  EXPECT_EQ(counts.predicted, 10);
  EXPECT_EQ(counts.truth, 12);
  EXPECT_THAT(counts.precision(), Optional(0.9));
  EXPECT_THAT(counts.recall(), Optional(0.75));
  EXPECT_THAT(counts.iou(), Optional(9.0 / 13));
  EXPECT_THROW(foreground_counts(at::zeros({3, 3}, at::kLong)), ContractError);
  EXPECT_THROW(foreground_counts(label_counts(confusion)), ContractError);
}

TEST(ForegroundCounts, CountsByLabelAreEnoughWithoutVoid) {
  const at::Tensor confusion = at::tensor({5, 1, 0, 0, 1, 2, 3, 0, 0, 0, 4, 0}, at::kLong).view({3, 4});
  const ForegroundCounts one = foreground_counts(confusion), other = foreground_counts(label_counts(confusion));
  EXPECT_EQ(one.hits, other.hits);
  EXPECT_EQ(one.predicted, other.predicted);
  EXPECT_EQ(one.truth, other.truth);
}

TEST(LabelDecision, NothingOverNothingIsZero) {
  const at::Tensor scores = at::tensor({0.9, 0.4, 0.6, 0.1}, at::kDouble).view({2, 2});
  const at::Tensor labels = at::tensor({1, 0, 0, 0}, at::kLong).view({2, 2});
  const LabelDecision decision = decide_labels(scores, labels);
  EXPECT_DOUBLE_EQ(decision.class_precision, 0.25);
  EXPECT_DOUBLE_EQ(decision.class_recall, 0.5);
  EXPECT_DOUBLE_EQ(decision.overall_precision, 0.5);
  EXPECT_DOUBLE_EQ(decision.overall_recall, 1.0);
  EXPECT_DOUBLE_EQ(decision.class_f1, 1.0 / 3);
  EXPECT_DOUBLE_EQ(decision.overall_f1, 2.0 / 3);
  EXPECT_DOUBLE_EQ(decision.exact_match, 0.5);
  EXPECT_DOUBLE_EQ(decision.label_accuracy, 0.75);
  EXPECT_THROW(decide_labels(scores, at::zeros({1, 2}, at::kLong)), ContractError);
}

}  // namespace
}  // namespace seedbed::metrics
