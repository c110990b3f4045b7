#include "fit/optimiser.hpp"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fit/ema.hpp"
#include "seedbed/error.hpp"
#include "support/tensor_matchers.hpp"

namespace seedbed::fit {
namespace {

using ::testing::HasSubstr;
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
  TrainSettings settings;
  settings.momentum = 0;
  settings.weight_decay = 0.5;
  make_optimiser(settings, {{"old", {old_weight}, 1.0, 1.0}, {"new_bias", {new_bias}, 10.0, 0.0}})->step(0.1);
  EXPECT_THAT(old_weight.detach(), all_close(at::tensor({0.85f}), 1e-6));  // 1 - 0.1 (1 + 0.5)
  EXPECT_THAT(new_bias.detach(), all_close(at::tensor({0.0f}), 1e-6));     // 1 - 1.0 (1 + 0)
}

TEST(Optimiser, LeavesParametersWithoutGradientAlone) {
  const at::Tensor frozen = leaf({2.0f}, {});
  TrainSettings settings;
  settings.weight_decay = 0.5;
  make_optimiser(settings, {{"old", {frozen}, 1.0, 1.0}})->step(0.1);
  EXPECT_THAT(frozen.detach(), equals_tensor(at::tensor({2.0f})));
}

TEST(Optimiser, TheStudysGroupsReplaceTheMethods) {
  const at::Tensor weight = leaf({1.0f}, {1.0f});
  TrainSettings settings;
  settings.momentum = 0;
  settings.groups["old"] = {3.0, 1.0};
  make_optimiser(settings, {{"old", {weight}, 1.0, 1.0}})->step(0.1);
  EXPECT_THAT(weight.detach(), all_close(at::tensor({0.7f}), 1e-6));
}

TEST(Optimiser, RefusesAGroupThatTheMethodLacks) {
  TrainSettings settings;
  settings.groups["pretrainde"] = {};
  try {
    make_optimiser(settings, {{"pretrained", {leaf({1.0f}, {})}, 1.0, 1.0}});
    FAIL() << "it was taken";
  } catch (const UserError& error) {
    EXPECT_THAT(error.message(), HasSubstr("no such group of parameters: `pretrainde`"));
    EXPECT_THAT(error.hint(), HasSubstr("`pretrained`"));
  }
}

TEST(Optimiser, RefusesAParameterInTwoGroups) {
  const at::Tensor weight = leaf({1.0f}, {});
  EXPECT_THROW(make_optimiser(TrainSettings{}, {{"a", {weight}, 1.0, 1.0}, {"b", {weight}, 1.0, 1.0}}), ContractError);
}

TEST(Optimiser, DropsGradients) {
  const at::Tensor weight = leaf({1.0f}, {1.0f});
  const auto optimiser = make_optimiser(TrainSettings{}, {{"old", {weight}, 1.0, 1.0}});
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

}  // namespace
}  // namespace seedbed::fit
