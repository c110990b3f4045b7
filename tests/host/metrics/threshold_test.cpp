#include <cmath>
#include <limits>

#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include "metrics/sweep.hpp"
#include "seedbed/error.hpp"
#include "support/tensor_matchers.hpp"

namespace seedbed::metrics {
namespace {

using seedbed::testing::equals_tensor;

TEST(ThresholdOfPower, DecidesAsThePowerDoes) {
  for (double alpha : {0.25, 0.5, 1.0, 2.0, 3.7, 4.0, 16.0, 32.0, 200.0}) {
    SCOPED_TRACE(alpha);
    const float threshold = threshold_of_power(alpha);
    float value = threshold;
    for (int i = 0; i < 50; ++i) value = std::nextafter(value, 0.0F);
    for (int i = 0; i < 100; ++i, value = std::nextafter(value, 2.0F))
      EXPECT_EQ(value > threshold, static_cast<double>(value) > std::pow(1.0 - static_cast<double>(value), alpha))
          << value;
  }
  EXPECT_NEAR(threshold_of_power(1), 0.5, 1e-7);
  EXPECT_NEAR(threshold_of_power(2), (3 - std::sqrt(5)) / 2, 1e-7);
  EXPECT_THROW(threshold_of_power(0), UserError);
  EXPECT_THROW(threshold_of_power(std::numeric_limits<double>::quiet_NaN()), UserError);
}

TEST(DecidingThreshold, DecidesAsItsTypeDoes) {
  for (int k = 0; k < 100; ++k) {
    const double value = k / 100.0;
    const float rounded = static_cast<float>(value),
                exact = deciding_threshold(SweptBackground::constant, value, ThresholdType::float64);
    EXPECT_EQ(deciding_threshold(SweptBackground::constant, value), rounded);
    for (float map : {std::nextafter(rounded, -1.0F), rounded, std::nextafter(rounded, 2.0F)})
      EXPECT_EQ(map > exact, static_cast<double>(map) > value) << value;
  }
  EXPECT_EQ(deciding_threshold(SweptBackground::constant, 0.1, ThresholdType::float16), 0.0999755859375F);
}

TEST(LabelAbove, TakesTheFirstLargestAboveTheThreshold) {
  const at::Tensor maps = at::tensor({0.5, 0.2, 0.6, 0.3, 0.5, 0.9, 0.6, 0.3}, at::kFloat).view({2, 2, 2});
  EXPECT_THAT(label_above(maps, {3, 7}, 0.3F), equals_tensor(at::tensor({3, 7, 3, 0}, at::kByte).view({2, 2})));
  EXPECT_THAT(label_above(at::zeros({0, 2, 2}), {}, 0.0F), equals_tensor(at::zeros({2, 2}, at::kByte)));
  EXPECT_THROW(label_above(maps, {3}, 0.0F), ContractError);
}

}  // namespace
}  // namespace seedbed::metrics
