#include "fit/precision.hpp"

#include <limits>

#include <ATen/ATen.h>
#include <ATen/autocast_mode.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "seedbed/error.hpp"
#include "support/tensor_matchers.hpp"

namespace seedbed::fit {
namespace {

using testing::equals_tensor;
using ::testing::HasSubstr;

at::Tensor with_gradient(float gradient) {
  at::Tensor tensor = at::zeros({1});
  tensor.requires_grad_(true);
  tensor.mutable_grad() = at::tensor({gradient});
  return tensor;
}

TEST(AutocastScope, ComputesInItsPrecisionAndLeavesNothingBehind) {
  const at::Tensor weight = at::ones({4, 4}).requires_grad_(true);
  const at::Tensor input = at::ones({2, 4});
  {
    const AutocastScope scope(Precision::bfloat16, at::kCPU);
    EXPECT_EQ(at::linear(input, weight).scalar_type(), at::kBFloat16);
    EXPECT_EQ(at::mse_loss(at::linear(input, weight), input).scalar_type(), at::kFloat) << "losses stay wide";
  }
  EXPECT_FALSE(at::autocast::is_autocast_enabled(at::kCPU));
  EXPECT_EQ(at::linear(input, weight).scalar_type(), at::kFloat);
}

// A cast that outlived its scope would be of the weights before the step.
TEST(AutocastScope, CastsOfWeightsAreMadeAnew) {
  const at::Tensor weight = at::ones({4, 4}).requires_grad_(true);
  const at::Tensor input = at::ones({1, 4});
  const auto product = [&] {
    const AutocastScope scope(Precision::bfloat16, at::kCPU);
    return at::linear(input, weight).sum().item<float>();
  };
  EXPECT_EQ(product(), 16.0f);
  weight.detach().fill_(2.0f);
  EXPECT_EQ(product(), 32.0f);
}

TEST(AutocastScope, DoesNothingForFloat32) {
  const AutocastScope scope(Precision::float32, at::kCPU);
  EXPECT_FALSE(at::autocast::is_autocast_enabled(at::kCPU));
}

TEST(Precision, Float16NeedsAGpu) {
  EXPECT_NO_THROW(check_precision(Precision::bfloat16, at::kCPU, "train.precision"));
  EXPECT_NO_THROW(check_precision(Precision::float16, at::kCUDA, "train.precision"));
  try {
    check_precision(Precision::float16, at::kCPU, "train.precision");
    FAIL() << "it was taken";
  } catch (const UserError& error) {
    EXPECT_EQ(error.where(), "train.precision");
    EXPECT_THAT(error.hint(), HasSubstr("`bfloat16`"));
  }
}

TEST(LossScaler, LeavesOtherPrecisionsAlone) {
  LossScaler scaler(Precision::bfloat16);
  EXPECT_EQ(scaler.scale(), 1.0);
  const at::Tensor bad = with_gradient(std::numeric_limits<float>::infinity());
  EXPECT_TRUE(scaler.unscale({bad})) << "what is not scaled is not judged";
}

TEST(LossScaler, DividesGradientsByTheScale) {
  LossScaler scaler(Precision::float16);
  const at::Tensor weight = with_gradient(65536.0f * 3);
  EXPECT_TRUE(scaler.unscale({weight}));
  EXPECT_THAT(weight.grad(), equals_tensor(at::tensor({3.0f})));
}

TEST(LossScaler, AnOverflowCostsTheStepAndHalvesTheScale) {
  LossScaler scaler(Precision::float16);
  const at::Tensor bad = with_gradient(std::numeric_limits<float>::infinity());
  EXPECT_FALSE(scaler.unscale({with_gradient(1), bad}));
  EXPECT_EQ(scaler.scale(), 32768.0);
  EXPECT_EQ(scaler.steps_left_out(), 1);
}

TEST(LossScaler, GrowsAgainAndResumes) {
  LossScaler scaler(Precision::float16);
  const at::Tensor weight = with_gradient(1);
  for (int step = 0; step < 1999; ++step) scaler.unscale({weight});
  EXPECT_EQ(scaler.scale(), 65536.0);
  LossScaler resumed(Precision::float16);
  resumed.load_state(scaler.state());
  resumed.unscale({weight});
  EXPECT_EQ(resumed.scale(), 131072.0);
}

}  // namespace
}  // namespace seedbed::fit
