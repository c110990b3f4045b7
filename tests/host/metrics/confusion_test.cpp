#include "metrics/confusion.hpp"

#include <string>

#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include "seedbed/error.hpp"
#include "support/formula_tensors.hpp"
#include "support/tensor_matchers.hpp"

namespace seedbed::metrics {
namespace {

using seedbed::testing::equals_tensor;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Optional;

at::Tensor row(std::vector<int> labels) { return at::tensor(labels, at::kByte).unsqueeze(0); }

// Worked out by hand: three labels, ten pixels, one void in the truth, two in the prediction.
const at::Tensor kTruth = row({0, 0, 0, 0, 1, 1, 1, 2, 2, 255});
const at::Tensor kPrediction = row({0, 0, 1, 255, 1, 1, 254, 2, 0, 2});

TEST(Confusion, PredictedVoidCountsAsTheRuleSays) {
  const auto count = [](PredictedVoid rule) { return count_confusion(kTruth, kPrediction, 3, rule); };
  EXPECT_THAT(count(PredictedVoid::error),
              equals_tensor(at::tensor({2, 1, 0, 1, 0, 2, 0, 1, 1, 0, 1, 0}, at::kLong).view({3, 4})));
  EXPECT_THAT(count(PredictedVoid::background),
              equals_tensor(at::tensor({3, 1, 0, 0, 1, 2, 0, 0, 1, 0, 1, 0}, at::kLong).view({3, 4})));
  EXPECT_THAT(count(PredictedVoid::exclude),
              equals_tensor(at::tensor({2, 1, 0, 0, 0, 2, 0, 0, 1, 0, 1, 0}, at::kLong).view({3, 4})));
  EXPECT_THROW(count(PredictedVoid::refuse), UserError);
  EXPECT_NO_THROW(count_confusion(kTruth, row({0, 0, 1, 0, 1, 1, 0, 2, 0, 255}), 3, PredictedVoid::refuse));
}

TEST(Confusion, RefusesLabelsWithoutAClass) {
  try {
    count_confusion(kTruth, row({0, 0, 0, 0, 0, 0, 7, 0, 0, 0}), 3, PredictedVoid::background);
    FAIL();
  } catch (const UserError& error) {
    EXPECT_THAT(error.what(), HasSubstr("`7`"));
    EXPECT_THAT(error.hint(), HasSubstr("0 to 2"));
  }
  EXPECT_THROW(count_confusion(kTruth, row({0}), 3, PredictedVoid::error), ContractError);
}

// A slow count in the test: every pair, one pixel at a time.
at::Tensor counted_slowly(const at::Tensor& truth, const at::Tensor& prediction, std::int64_t num_labels) {
  at::Tensor confusion = at::zeros({num_labels, num_labels + 1}, at::kLong);
  const auto* t = truth.const_data_ptr<std::uint8_t>();
  const auto* p = prediction.const_data_ptr<std::uint8_t>();
  for (std::int64_t i = 0; i < truth.numel(); ++i)
    if (t[i] < num_labels)
      ++confusion.mutable_data_ptr<std::int64_t>()[t[i] * (num_labels + 1) + std::min<std::int64_t>(p[i], num_labels)];
  return confusion;
}

TEST(Confusion, EqualsASlowCount) {
  for (std::int64_t num_labels : {1, 2, 21, 81, 254})
    for (std::int64_t size : {1, 7, 8, 9, 63, 1000, 4099})
      for (double run : {1.0, 5.0, 40.0}) {
        SCOPED_TRACE(std::to_string(num_labels) + " labels, " + std::to_string(size) + " pixels, runs of " +
                     std::to_string(run));
        const auto labels = [&](const std::string& name) {
          const at::Tensor drawn = seedbed::testing::formula_unit(name, size);
          const at::Tensor picked = drawn.index_select(0, at::arange(size).div(run).to(at::kLong));
          const at::Tensor values = (picked * static_cast<double>(num_labels + 1)).to(at::kLong);
          return values.where(values.lt(num_labels), at::full({}, 255, at::kLong)).to(at::kByte).unsqueeze(0);
        };
        const at::Tensor truth = labels("truth"), prediction = labels("prediction");
        EXPECT_THAT(count_confusion(truth, prediction, num_labels, PredictedVoid::error),
                    equals_tensor(counted_slowly(truth, prediction, num_labels)));
      }
}

TEST(Confusion, LayoutDoesNotMatter) {
  const at::Tensor truth = (seedbed::testing::formula_unit("t", 600) * 3).to(at::kByte).view({20, 30});
  const at::Tensor prediction = (seedbed::testing::formula_unit("p", 600) * 3).to(at::kByte).view({20, 30});
  EXPECT_THAT(count_confusion(truth.t(), prediction.t(), 3, PredictedVoid::error),
              equals_tensor(count_confusion(truth, prediction, 3, PredictedVoid::error)));
}

TEST(LabelCounts, GiveTheMetrics) {
  const LabelCounts counts = label_counts(count_confusion(kTruth, kPrediction, 3, PredictedVoid::error));
  EXPECT_THAT(counts.intersection, ElementsAre(2, 2, 1));
  EXPECT_THAT(counts.predicted, ElementsAre(3, 3, 1));
  EXPECT_THAT(counts.truth, ElementsAre(4, 3, 2));
  EXPECT_THAT(iou(counts), ElementsAre(Optional(2. / 5), Optional(2. / 4), Optional(1. / 2)));
  EXPECT_THAT(precision(counts), ElementsAre(Optional(2. / 3), Optional(2. / 3), Optional(1.)));
  EXPECT_THAT(recall(counts), ElementsAre(Optional(2. / 4), Optional(2. / 3), Optional(1. / 2)));
  EXPECT_THAT(pixel_accuracy(counts), Optional(5. / 9));
}

TEST(LabelCounts, MeansSayWhatTheyAreTakenOver) {
  LabelCounts counts(4);
  counts.intersection = {4, 0, 0, 0};
  counts.predicted = {4, 2, 0, 0};
  counts.truth = {8, 0, 0, 0};
  EXPECT_THAT(mean_iou(counts, MeanOver::unions), Optional(0.25));
  EXPECT_THAT(mean_iou(counts, MeanOver::truth), Optional(0.5));
  EXPECT_THAT(mean_iou(counts, MeanOver::all), Optional(0.125));
  EXPECT_EQ(mean_iou(LabelCounts(3), MeanOver::unions), std::nullopt);
  EXPECT_EQ(pixel_accuracy(LabelCounts(3)), std::nullopt);
  counts += counts;
  EXPECT_THAT(counts.truth, ElementsAre(16, 0, 0, 0));
}

TEST(Names, RoundTrip) {
  for (const char* name : {"background", "error", "exclude", "refuse"})
    EXPECT_EQ(name_of(predicted_void_from(name)), name);
  for (const char* name : {"miou_union", "miou_truth", "miou_all"}) EXPECT_EQ(miou_name(mean_over_from(name)), name);
  try {
    predicted_void_from("exlude");
    FAIL();
  } catch (const UserError& error) {
    EXPECT_THAT(error.hint(), HasSubstr("Did you mean `exclude`?"));
  }
  EXPECT_THROW(mean_over_from("miou"), UserError);
}

}  // namespace
}  // namespace seedbed::metrics
