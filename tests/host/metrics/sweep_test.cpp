#include "metrics/sweep.hpp"

#include <cmath>
#include <string>

#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include "seedbed/error.hpp"
#include "support/formula_tensors.hpp"
#include "support/tensor_matchers.hpp"

namespace seedbed::metrics {
namespace {

using ::testing::ElementsAre;

constexpr std::int64_t kNumLabels = 6;

// Maps of which many pixels lie exactly on a hundredth, and a mask with void pixels.
struct Image {
  at::Tensor maps_phw;
  std::vector<std::int64_t> planes;
  at::Tensor truth_hw;
};

Image make_image(const std::string& name, std::vector<std::int64_t> planes, std::int64_t height, std::int64_t width) {
  const std::int64_t count = std::ssize(planes) * height * width;
  const at::Tensor drawn = seedbed::testing::formula_unit(name + "/maps", count);
  const at::Tensor on_grid = seedbed::testing::formula_unit(name + "/grid", count).lt(0.5);
  const at::Tensor maps = drawn.mul(100).round().div(100).where(on_grid, drawn).to(at::kFloat);
  const at::Tensor labels = seedbed::testing::formula_unit(name + "/truth", height * width).mul(7).to(at::kLong);
  const at::Tensor truth = labels.where(labels.lt(kNumLabels), at::full({}, 255, at::kLong)).to(at::kByte);
  return {maps.view({std::ssize(planes), height, width}), std::move(planes), truth.view({height, width})};
}

std::vector<Image> images() {
  return {make_image("a", {1, 4}, 33, 41), make_image("b", {2}, 17, 64), make_image("c", {}, 9, 9),
          make_image("d", {1, 2, 3, 4, 5}, 50, 21)};
}

// One whole evaluation for one value, comparing in float64.
LabelCounts brute_force(const std::vector<Image>& images, SweptBackground background, double value) {
  LabelCounts counts(kNumLabels);
  for (const Image& image : images) {
    at::Tensor prediction = at::zeros(image.truth_hw.sizes(), at::kByte);
    for (std::int64_t i = 0; i < image.truth_hw.numel() && !image.planes.empty(); ++i) {
      const at::Tensor flat = image.maps_phw.view({std::ssize(image.planes), -1});
      const auto* score = flat.const_data_ptr<float>();
      std::int64_t best = 0;
      for (std::int64_t p = 1; p < flat.size(0); ++p)
        if (score[p * flat.size(1) + i] > score[best * flat.size(1) + i]) best = p;
      const double largest = score[best * flat.size(1) + i];
      const double other = background == SweptBackground::constant ? value : std::pow(1 - largest, value);
      if (largest > other)
        prediction.mutable_data_ptr<std::uint8_t>()[i] =
            static_cast<std::uint8_t>(image.planes[static_cast<std::size_t>(best)]);
    }
    counts += label_counts(count_confusion(image.truth_hw, prediction, kNumLabels, PredictedVoid::refuse));
  }
  return counts;
}

void expect_equal_to_brute_force(SweptBackground background, const std::vector<double>& values) {
  Sweep sweep(kNumLabels, background, values, ThresholdType::float64);
  const std::vector<Image> all = images();
  for (const Image& image : all) sweep.add(sweep.count(image.maps_phw, image.planes, image.truth_hw));
  for (std::size_t i = 0; i < values.size(); ++i) {
    SCOPED_TRACE(values[i]);
    const LabelCounts expected = brute_force(all, background, values[i]);
    EXPECT_EQ(sweep.counts(i).intersection, expected.intersection);
    EXPECT_EQ(sweep.counts(i).predicted, expected.predicted);
    EXPECT_EQ(sweep.counts(i).truth, expected.truth);
    EXPECT_EQ(sweep.mean_iou_curve(MeanOver::unions)[i], *mean_iou(expected, MeanOver::unions));
  }
}

TEST(Sweep, EqualsOneEvaluationAValueForConstants) {
  expect_equal_to_brute_force(SweptBackground::constant, sweep_values(0.0, 0.99, 0.01));
  expect_equal_to_brute_force(SweptBackground::constant, {-0.5, 0.0, 0.013, 0.5, 0.500001, 0.99, 1.5});
  expect_equal_to_brute_force(SweptBackground::constant, {0.3});
}

TEST(Sweep, EqualsOneEvaluationAValueForPowers) {
  expect_equal_to_brute_force(SweptBackground::power, {0.25, 0.5, 1, 1.5, 2, 3, 4, 6, 8, 12, 16, 24, 32});
}

TEST(Sweep, LabelsAboveItsThresholdScoreTheSame) {
  const Image image = make_image("a", {1, 4}, 33, 41);
  for (const auto background : {SweptBackground::constant, SweptBackground::power}) {
    const std::vector<double> values{0.25, 0.5, 2};
    const ImageSweep swept = Sweep(kNumLabels, background, values).count(image.maps_phw, image.planes, image.truth_hw);
    for (std::size_t i = 0; i < values.size(); ++i) {
      const at::Tensor labels = label_above(image.maps_phw, image.planes, deciding_threshold(background, values[i]));
      const LabelCounts counts =
          label_counts(count_confusion(image.truth_hw, labels, kNumLabels, PredictedVoid::refuse));
      EXPECT_EQ(swept.counts(i).intersection, counts.intersection);
      EXPECT_EQ(swept.counts(i).predicted, counts.predicted);
    }
  }
}

TEST(Sweep, SumsOverImages) {
  Sweep sweep(kNumLabels, SweptBackground::constant, {0.1, 0.2});
  LabelCounts sum(kNumLabels);
  for (const Image& image : images()) {
    const ImageSweep counted = sweep.count(image.maps_phw, image.planes, image.truth_hw);
    sweep.add(counted);
    sum += counted.counts(1);
  }
  EXPECT_EQ(sweep.counts(1).predicted, sum.predicted);
  EXPECT_EQ(sweep.predicted_tk()[1][4].item<std::int64_t>(), sum.predicted[4]);
  EXPECT_EQ(sweep.truth_tk().sizes(), (std::vector<std::int64_t>{2, kNumLabels}));
}

TEST(Sweep, RefusesWhatItCannotScore) {
  const Image image = make_image("a", {1, 4}, 8, 8);
  const Sweep sweep(kNumLabels, SweptBackground::constant, {0.1});
  EXPECT_THROW(sweep.count(image.maps_phw, {0, 1}, image.truth_hw), ContractError);
  EXPECT_THROW(sweep.count(image.maps_phw, {4, 1}, image.truth_hw), ContractError);
  EXPECT_THROW(sweep.count(image.maps_phw, {1, kNumLabels}, image.truth_hw), ContractError);
  EXPECT_THROW(sweep.count(image.maps_phw, {1}, image.truth_hw), ContractError);
  EXPECT_THROW(sweep.count(image.maps_phw.to(at::kDouble), {1, 4}, image.truth_hw), ContractError);
  EXPECT_THROW(sweep.count(image.maps_phw, {1, 4}, image.truth_hw.narrow(0, 0, 4)), ContractError);
  EXPECT_THROW(Sweep(kNumLabels, SweptBackground::constant, {}), UserError);
  EXPECT_THROW(Sweep(kNumLabels, SweptBackground::constant, {0.2, 0.1}), UserError);
}

TEST(SweepValues, AreTheNearestNumbersToTheirFractions) {
  const std::vector<double> values = sweep_values(0.0, 0.99, 0.01);
  ASSERT_EQ(values.size(), 100U);
  for (int k = 0; k < 100; ++k) EXPECT_EQ(values[static_cast<std::size_t>(k)], k / 100.0);
  EXPECT_THAT(sweep_values(1, 4, 1.5), ElementsAre(1, 2.5, 4));
  EXPECT_THAT(sweep_values(0.3, 0.3, 0.1), ElementsAre(0.3));
  EXPECT_THROW(sweep_values(0, 1, 0), UserError);
  EXPECT_THROW(sweep_values(1, 0, 0.1), UserError);
  EXPECT_THROW(sweep_values(0, 1, 1e-9), UserError);
}

TEST(BestIndex, TakesTheFirstOfEqualOnes) {
  EXPECT_EQ(best_index({0.1, 0.4, 0.4, 0.2}), 1U);
  EXPECT_THROW(best_index({}), ContractError);
}

}  // namespace
}  // namespace seedbed::metrics
