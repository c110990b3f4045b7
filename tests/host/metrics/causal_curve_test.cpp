#include "metrics/causal_curve.hpp"

#include <cmath>

#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include "metrics/causal_scorer.hpp"
#include "seedbed/error.hpp"
#include "support/tensor_matchers.hpp"

namespace seedbed::metrics {
namespace {

using protocol::metric_names_from;
using seedbed::testing::equals_tensor;
using ::testing::ElementsAre;

const at::Tensor kMap = at::tensor({0.1F, 0.9F, 0.5F, 0.9F}).view({2, 2});
const at::Tensor kImage = at::tensor({1.0F, 2.0F, 3.0F, 4.0F}).view({1, 2, 2});
const at::Tensor kBaseline = at::zeros({1, 2, 2});

// A network that sees how bright an image is.
at::Tensor mean_brightness(const at::Tensor& images_nchw) { return images_nchw.mean({1, 2, 3}); }

TEST(CausalCurve, PixelsFollowTheMapAndEqualOnesTheImage) {
  EXPECT_THAT(places_by_value(kMap), equals_tensor(at::tensor({3, 0, 2, 1}, at::kLong).view({2, 2})));
}

TEST(CausalCurve, StepsAreEqualAndReachTheEnd) {
  EXPECT_THAT(pixels_changed(8, 4), ElementsAre(0, 2, 4, 6, 8));
  EXPECT_THAT(pixels_changed(5, 3), ElementsAre(0, 1, 3, 5));
  EXPECT_THAT(pixels_changed(2, 4), ElementsAre(0, 0, 1, 1, 2));
}

TEST(CausalCurve, DeletionEndsAtTheBaselineInsertionAtTheImage) {
  const auto frames = [&](CausalMetric metric) {
    return causal_images(kImage, kBaseline, places_by_value(kMap), {0, 3, 4}, metric).reshape({-1, 4});
  };
  EXPECT_THAT(
      frames(CausalMetric::deletion),
      equals_tensor(at::tensor({1.0F, 2.0F, 3.0F, 4.0F, 1.0F, 0.0F, 0.0F, 0.0F, 0.0F, 0.0F, 0.0F, 0.0F}).view({3, 4})));
  EXPECT_THAT(
      frames(CausalMetric::insertion),
      equals_tensor(at::tensor({0.0F, 0.0F, 0.0F, 0.0F, 0.0F, 2.0F, 3.0F, 4.0F, 1.0F, 2.0F, 3.0F, 4.0F}).view({3, 4})));
}

// The map ranks the pixels 2, 4, 3, 1 of brightness; each makes up a quarter of the mean.
TEST(CausalCurve, OfANetworkThatSeesBrightness) {
  const auto curve = [](CausalMetric metric, std::int64_t steps, std::int64_t at_once = 100) {
    return causal_curve(kImage, kMap, {metric, CausalBaseline::grey, steps}, at_once, mean_brightness);
  };
  EXPECT_THAT(curve(CausalMetric::insertion, 4), ElementsAre(0, 0.5, 1.5, 2.25, 2.5));
  EXPECT_THAT(curve(CausalMetric::deletion, 4), ElementsAre(2.5, 2, 1, 0.25, 0));
  EXPECT_THAT(curve(CausalMetric::insertion, 2), ElementsAre(0, 1.5, 2.5));
  for (const std::int64_t at_once : {1, 2, 5})
    EXPECT_THAT(curve(CausalMetric::insertion, 4, at_once), ElementsAre(0, 0.5, 1.5, 2.25, 2.5)) << at_once;
  EXPECT_DOUBLE_EQ(causal_area(curve(CausalMetric::insertion, 4)), (0.5 + 1.5 + 2.25 + 1.25) / 4);
}

TEST(CausalCurve, NoMoreImagesAreShownAtATimeThanAllowed) {
  std::vector<std::int64_t> shown;
  causal_curve(kImage, kMap, {CausalMetric::insertion, CausalBaseline::grey, 6}, 3, [&](const at::Tensor& images) {
    shown.push_back(images.size(0));
    return mean_brightness(images);
  });
  EXPECT_THAT(shown, ElementsAre(3, 3, 1));
}

TEST(CausalBaselines, ABlurKeepsWhatIsConstantAndSpreadsWhatIsNot) {
  const at::Tensor flat = at::full({3, 31, 31}, 2.0F);
  const at::Tensor blurred = causal_baseline(flat, CausalBaseline::blur);
  ASSERT_EQ(blurred.sizes(), flat.sizes());
  EXPECT_NEAR(blurred[1][15][15].item<double>(), 2, 1e-5);
  EXPECT_LT(blurred[1][0][0].item<double>(), 1) << "the mean colour lies around the image";
  at::Tensor point = at::zeros({1, 31, 31});
  point[0][15][15] = 1;
  const at::Tensor spread = causal_baseline(point, CausalBaseline::blur)[0];
  EXPECT_NEAR(spread.sum().item<double>(), 1, 1e-5);
  EXPECT_NEAR(spread[15][20].item<double>() / spread[15][15].item<double>(), std::exp(-0.5), 1e-5);
  EXPECT_EQ(spread[15][21].item<double>(), 0);
  EXPECT_EQ(causal_baseline(flat, CausalBaseline::grey).abs().sum().item<double>(), 0);
}

TEST(CausalCurve, AnAreaIsOfTrapezoids) {
  EXPECT_DOUBLE_EQ(causal_area({1, 1, 1}), 1);
  EXPECT_DOUBLE_EQ(causal_area({1, 0.5, 0}), 0.5);
  EXPECT_DOUBLE_EQ(causal_area({0, 1, 1, 1}), 2.5 / 3);
}

TEST(CausalCurve, RefusesWhatDoesNotFit) {
  EXPECT_THROW(places_by_value(kImage), ContractError);
  EXPECT_THROW(causal_images(kImage, at::zeros({1, 2, 3}), places_by_value(kMap), {0}, CausalMetric::deletion),
               ContractError);
  EXPECT_THROW(causal_area({1}), ContractError);
}

TEST(CausalScorer, NamesSayHowImagesAreShown) {
  const auto names = metric_names_from({"insertion_100_blur_probability", "deletion_20_grey_logit"});
  EXPECT_EQ(causal_form_of(names[0]), (CausalForm{CausalMetric::insertion, CausalBaseline::blur, 100}));
  EXPECT_EQ(causal_form_of(names[1]), (CausalForm{CausalMetric::deletion, CausalBaseline::grey, 20}));
  EXPECT_FALSE(is_of_logits(names[0]));
  EXPECT_TRUE(is_of_logits(names[1]));
}

TEST(CausalScorer, PairsCountAlikeAndLabelsByThemselves) {
  CausalScorer scorer(metric_names_from(
      {"insertion_2_grey_logit", "miou_union", "insertion_2_grey_probability", "deletion_2_grey_logit"}));
  ASSERT_EQ(scorer.forms().size(), 2U) << "names that differ in the score share a curve";
  EXPECT_TRUE(scorer.values().empty());
  const CausalForm insertion{CausalMetric::insertion, CausalBaseline::grey, 2};
  scorer.add(1, insertion, {0, 0, 0});
  scorer.add(2, insertion, {0, 2, 4});
  scorer.add(2, insertion, {1, 1, 1});
  const auto values = scorer.values();
  ASSERT_EQ(values.size(), 6U) << "two names over all pairs and of two labels; deletion has no pair";
  EXPECT_EQ(values[0].name, "insertion_2_grey_logit");
  EXPECT_FALSE(values[0].label);
  EXPECT_DOUBLE_EQ(values[0].value, (0 + 2 + 1) / 3.0);
  EXPECT_EQ(values[1].label, 1U);
  EXPECT_DOUBLE_EQ(values[1].value, 0);
  EXPECT_DOUBLE_EQ(values[2].value, 1.5);
  EXPECT_DOUBLE_EQ(values[4].value, 0.5) << "the sigmoid of 0";
  EXPECT_THAT(scorer.mean_curve(scorer.names()[0]), ElementsAre(1.0 / 3, 1, 5.0 / 3));
  EXPECT_TRUE(scorer.mean_curve(scorer.names()[2]).empty());
  EXPECT_THROW(scorer.add(1, insertion, {0, 1}), ContractError);
}

}  // namespace
}  // namespace seedbed::metrics
