#include "metrics/causal_curve.hpp"

#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include "seedbed/error.hpp"
#include "support/tensor_matchers.hpp"

namespace seedbed::metrics {
namespace {

using seedbed::testing::equals_tensor;

const at::Tensor kMap = at::tensor({0.1F, 0.9F, 0.5F, 0.9F}).view({2, 2});
const at::Tensor kImage = at::tensor({1.0F, 2.0F, 3.0F, 4.0F}).view({1, 2, 2});
const at::Tensor kBaseline = at::zeros({1, 2, 2});

TEST(CausalCurve, PixelsFollowTheMapAndEqualOnesTheImage) {
  EXPECT_THAT(pixels_by_value(kMap), equals_tensor(at::tensor({1, 3, 2, 0}, at::kLong)));
}

TEST(CausalCurve, DeletionEndsAtTheBaselineInsertionAtTheImage) {
  const at::Tensor order = pixels_by_value(kMap);
  const auto frames = [&](CausalMetric metric) {
    return causal_images(kImage, kBaseline, order, 3, metric).reshape({-1, 4});
  };
  EXPECT_THAT(
      frames(CausalMetric::deletion),
      equals_tensor(at::tensor({1.0F, 2.0F, 3.0F, 4.0F, 1.0F, 0.0F, 0.0F, 0.0F, 0.0F, 0.0F, 0.0F, 0.0F}).view({3, 4})));
  EXPECT_THAT(
      frames(CausalMetric::insertion),
      equals_tensor(at::tensor({0.0F, 0.0F, 0.0F, 0.0F, 0.0F, 2.0F, 3.0F, 4.0F, 1.0F, 2.0F, 3.0F, 4.0F}).view({3, 4})));
}

TEST(CausalCurve, AnAreaIsOfTrapezoids) {
  EXPECT_DOUBLE_EQ(causal_area({1, 1, 1}), 1);
  EXPECT_DOUBLE_EQ(causal_area({1, 0.5, 0}), 0.5);
  EXPECT_DOUBLE_EQ(causal_area({0, 1, 1, 1}), 2.5 / 3);
}

TEST(CausalCurve, RefusesWhatDoesNotFit) {
  EXPECT_THROW(pixels_by_value(kImage), ContractError);
  EXPECT_THROW(causal_images(kImage, at::zeros({1, 2, 3}), pixels_by_value(kMap), 1, CausalMetric::deletion),
               ContractError);
  EXPECT_THROW(causal_images(kImage, kBaseline, pixels_by_value(kMap), 0, CausalMetric::deletion), ContractError);
  EXPECT_THROW(causal_area({1}), ContractError);
}

}  // namespace
}  // namespace seedbed::metrics
