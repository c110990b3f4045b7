#include "fit/optimiser.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "fit/ema.hpp"
#include "support/tensor_matchers.hpp"

namespace seedbed::fit {
namespace {

using testing::all_close;
using testing::equals_tensor;

at::Tensor leaf(std::initializer_list<float> values, std::initializer_list<float> gradient) {
  at::Tensor tensor = at::tensor(std::vector<float>(values));
  tensor.requires_grad_(true);
  if (gradient.size() > 0) tensor.mutable_grad() = at::tensor(std::vector<float>(gradient));
  return tensor;
}

TEST(Optimiser, AppliesGroupFactors) {
  const at::Tensor old_weight = leaf({1.0f}, {1.0f});
  const at::Tensor new_bias = leaf({1.0f}, {1.0f});
  OptimiserSettings settings;
  settings.momentum = 0;
  settings.weight_decay = 0.5;
  make_optimiser(settings, {{"old", {old_weight}, 1.0, 1.0}, {"new_bias", {new_bias}, 10.0, 0.0}})->step(0.1);
  EXPECT_THAT(old_weight.detach(), all_close(at::tensor({0.85f}), 1e-6));  // 1 - 0.1 (1 + 0.5)
  EXPECT_THAT(new_bias.detach(), all_close(at::tensor({0.0f}), 1e-6));     // 1 - 1.0 (1 + 0)
}

TEST(Optimiser, LeavesParametersWithoutGradientAlone) {
  const at::Tensor frozen = leaf({2.0f}, {});
  OptimiserSettings settings;
  settings.weight_decay = 0.5;
  make_optimiser(settings, {{"old", {frozen}, 1.0, 1.0}})->step(0.1);
  EXPECT_THAT(frozen.detach(), equals_tensor(at::tensor({2.0f})));
}

// The corrected form of the published polynomial SGD is `sgd` itself: momentum and decay in their own places.
TEST(Optimiser, ReleasedPolynomialSgdTakesItsDecayForMomentum) {
  OptimiserSettings settings;
  settings.momentum = 0.9;
  settings.weight_decay = 0.5;
  const auto two_steps = [&](OptimiserKind kind) {
    settings.kind = kind;
    const at::Tensor weight = leaf({1.0f}, {});
    const auto optimiser = make_optimiser(settings, {{"all", {weight}, 1.0, 0.0}});
    for (int step = 0; step < 2; ++step) {
      weight.mutable_grad() = at::tensor({1.0f});
      optimiser->step(0.1);
    }
    return weight.detach();
  };
  EXPECT_THAT(two_steps(OptimiserKind::sgd_poly_released), all_close(at::tensor({0.75f}), 1e-6));  // 1 - 0.1 - 0.15
  EXPECT_THAT(two_steps(OptimiserKind::sgd), all_close(at::tensor({0.71f}), 1e-6));                // 1 - 0.1 - 0.19
}

TEST(Optimiser, DropsGradients) {
  const at::Tensor weight = leaf({1.0f}, {1.0f});
  const auto optimiser = make_optimiser(OptimiserSettings{}, {{"old", {weight}, 1.0, 1.0}});
  optimiser->drop_gradients();
  EXPECT_FALSE(weight.grad().defined());
}

TEST(ClipGradients, ScalesTheJointNorm) {
  const at::Tensor first = leaf({0.0f}, {3.0f});
  const at::Tensor second = leaf({0.0f}, {4.0f});
  EXPECT_NEAR(clip_gradients({first, second}, 1.0), 5.0, 1e-6);
  EXPECT_THAT(first.grad(), all_close(at::tensor({0.6f}), 1e-5));
  EXPECT_THAT(second.grad(), all_close(at::tensor({0.8f}), 1e-5));
  EXPECT_NEAR(clip_gradients({first, second}, 2.0), 1.0, 1e-5);
  EXPECT_THAT(first.grad(), all_close(at::tensor({0.6f}), 1e-5));
}

class OneWeight : public Module {
 public:
  explicit OneWeight(float value) {
    weight = register_parameter("weight", at::tensor({value}));
    mean = register_buffer("mean", at::tensor({value}));
  }
  at::Tensor weight, mean;
};

TEST(EmaTeacher, FollowsParametersAndCopiesBuffers) {
  OneWeight teacher(1.0f);
  const OneWeight student(2.0f);
  follow(teacher, student, 0.75);
  EXPECT_THAT(teacher.weight.detach(), all_close(at::tensor({1.25f}), 1e-6));
  EXPECT_THAT(teacher.mean, equals_tensor(at::tensor({2.0f})));
}

TEST(EmaTeacher, AYoungTeacherIsTheMeanOfItsStudents) {
  TrainSettings settings;
  settings.ema_decay = 0.9;
  EXPECT_EQ(ema_decay_at(settings, 1), 0.9);
  settings.ema_warmup = true;
  EXPECT_EQ(ema_decay_at(settings, 1), 0.5);
  EXPECT_EQ(ema_decay_at(settings, 3), 0.75);
  EXPECT_EQ(ema_decay_at(settings, 9), 0.9);
  EXPECT_EQ(ema_decay_at(settings, 1000), 0.9);
}

}  // namespace
}  // namespace seedbed::fit
