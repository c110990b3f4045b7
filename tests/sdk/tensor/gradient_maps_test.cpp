#include "seedbed/kernels/gradient_maps.hpp"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "seedbed/error.hpp"
#include "support/tensor_matchers.hpp"

namespace seedbed::kernels {
namespace {

using testing::all_close;
using testing::equals_tensor;

// Two channels on two cells, the second without activation where its gradient is positive.
at::Tensor activations() { return at::tensor({2.0f, 1.0f, 0.0f, 3.0f}).view({1, 2, 1, 2}); }
at::Tensor gradients() { return at::tensor({1.0f, -2.0f, 4.0f, 0.0f}).view({1, 2, 1, 2}); }

at::Tensor map(double first, double second) {
  return at::tensor({static_cast<float>(first), static_cast<float>(second)}).view({1, 1, 2});
}

TEST(GradientMaps, WeightActivationsByTheirRule) {
  const auto found = [](GradientRule rule) { return gradient_maps(activations(), gradients(), rule); };
  // Means: -1/2 and 2.
  EXPECT_THAT(found(GradientRule::grad_cam), all_close(map(-1.0, 5.5), 1e-6));
  EXPECT_THAT(found(GradientRule::layer_cam), all_close(map(2.0, 0.0), 1e-6));
  // sum(A G) / sum(A): 0 and 0.
  EXPECT_THAT(found(GradientRule::xgrad_cam), all_close(map(0.0, 0.0), 1e-6));
  // First channel: 1 / (2 + 3) * 1; second: 16 / (32 + 3 * 64) * 4.
  EXPECT_THAT(found(GradientRule::grad_cam_pp), all_close(map(0.4, 0.2 + 3 * 64.0 / 224), 1e-5));
}

TEST(GradientMaps, RefuseShapesThatDiffer) {
  EXPECT_THROW(gradient_maps(activations(), gradients().view({1, 2, 2, 1}), GradientRule::grad_cam), ContractError);
  EXPECT_THROW(gradient_maps(activations()[0], gradients()[0], GradientRule::grad_cam), ContractError);
}

TEST(GradientOf, LeavesNothingBehindAndTheGraphAlive) {
  const at::Tensor input = at::tensor({1.0f, 2.0f}).requires_grad_(true);
  const at::Tensor weight = at::tensor({3.0f, 4.0f}).requires_grad_(true);
  const at::Tensor scores = input * weight;
  for (int i = 0; i < 2; ++i) EXPECT_THAT(gradient_of(scores, input), equals_tensor(at::tensor({3.0f, 4.0f})));
  EXPECT_FALSE(input.grad().defined());
  EXPECT_FALSE(weight.grad().defined());
}

TEST(GradientOf, IsZeroForWhatTheScoresDoNotDependOn) {
  const at::Tensor input = at::tensor({1.0f, 2.0f}).requires_grad_(true);
  EXPECT_THAT(gradient_of(at::ones({2}), input), equals_tensor(at::zeros({2})));
  const at::Tensor other = at::ones({2}).requires_grad_(true);
  EXPECT_THAT(gradient_of(other * 2, input), equals_tensor(at::zeros({2})));
}

}  // namespace
}  // namespace seedbed::kernels
