#include "fit/optimiser_set.hpp"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "seedbed/error.hpp"
#include "support/tensor_matchers.hpp"

namespace seedbed::fit {
namespace {

using testing::all_close;
using ::testing::ElementsAre;
using testing::equals_tensor;
using ::testing::HasSubstr;
using ::testing::Pair;

constexpr Position kStart{0, 10, 0, 2};

at::Tensor leaf(float value, float gradient) {
  at::Tensor tensor = at::tensor({value});
  tensor.requires_grad_(true);
  tensor.mutable_grad() = at::tensor({gradient});
  return tensor;
}

TrainSettings plain() {
  TrainSettings settings;
  settings.optimiser.momentum = 0;
  settings.optimiser.learning_rate = 0.1;
  return settings;
}

TEST(OptimiserSet, TheStudysFactorsReplaceTheMethods) {
  const at::Tensor weight = leaf(1, 1);
  TrainSettings settings = plain();
  settings.groups["old"].learning_rate_factor = 3.0;
  OptimiserSet(settings, {{"old", {weight}, 1.0, 1.0}}).step(kStart);
  EXPECT_THAT(weight.detach(), all_close(at::tensor({0.7f}), 1e-6));
}

// A study that sets one factor leaves the other as the method has it.
TEST(OptimiserSet, AFactorThatIsNotNamedStays) {
  const at::Tensor bias = leaf(1, 0);
  TrainSettings settings = plain();
  settings.optimiser.weight_decay = 0.5;
  settings.groups["new_bias"].learning_rate_factor = 20.0;
  OptimiserSet(settings, {{"new_bias", {bias}, 10.0, 0.0}}).step(kStart);
  EXPECT_THAT(bias.detach(), equals_tensor(at::tensor({1.0f})));
}

TEST(OptimiserSet, AFactorOfZeroFreezesAGroup) {
  const at::Tensor norm = leaf(1, 1);
  TrainSettings settings = plain();
  settings.groups["pretrained_norm"].learning_rate_factor = 0.0;
  OptimiserSet(settings, {{"pretrained_norm", {norm}}}).step(kStart);
  EXPECT_THAT(norm.detach(), equals_tensor(at::tensor({1.0f})));
}

TEST(OptimiserSet, RefusesAGroupThatTheMethodLacks) {
  TrainSettings settings = plain();
  settings.groups["pretrainde"] = {};
  try {
    OptimiserSet(settings, {{"pretrained", {leaf(1, 1)}}});
    FAIL() << "it was taken";
  } catch (const UserError& error) {
    EXPECT_EQ(error.where(), "train.groups.pretrainde");
    EXPECT_THAT(error.hint(), HasSubstr("`pretrained`"));
  }
}

TEST(OptimiserSet, RefusesAnOptimiserThatNoGroupNames) {
  TrainSettings settings = plain();
  settings.optimisers["advresary"] = {};
  try {
    OptimiserSet(settings, {{"critic", {leaf(1, 1)}, 1.0, 1.0, "adversary"}});
    FAIL() << "it was taken";
  } catch (const UserError& error) {
    EXPECT_EQ(error.where(), "train.optimisers.advresary");
    EXPECT_THAT(error.hint(), HasSubstr("`adversary`"));
  }
}

TEST(OptimiserSet, RefusesAParameterInTwoGroups) {
  const at::Tensor weight = leaf(1, 1);
  EXPECT_THROW(OptimiserSet(plain(), {{"a", {weight}}, {"b", {weight}, 1.0, 1.0, "adversary"}}), ContractError);
}

TEST(OptimiserSet, GroupsOfAnotherNameHaveAnOptimiserOfTheirOwn) {
  const at::Tensor weight = leaf(1, 1);
  const at::Tensor critic = leaf(1, 1);
  TrainSettings settings = plain();
  OptimiserSettings own = settings.optimiser;
  own.learning_rate = 0.4;
  own.schedule.kind = ScheduleKind::step;
  own.schedule.milestones = {1};
  own.schedule.by_epoch = true;
  settings.optimisers["adversary"] = own;
  OptimiserSet set(settings, {{"new", {weight}}, {"critic", {critic}, 1.0, 1.0, "adversary"}});
  set.step(kStart);
  EXPECT_THAT(weight.detach(), all_close(at::tensor({0.9f}), 1e-6));
  EXPECT_THAT(critic.detach(), all_close(at::tensor({0.6f}), 1e-6));
  EXPECT_THAT(set.learning_rates({5, 10, 1, 2}),
              ElementsAre(Pair("adversary", ::testing::DoubleNear(0.04, 1e-12)), Pair("main", 0.1)));
  set.drop_gradients();
  EXPECT_FALSE(critic.grad().defined());
}

// An optimiser without settings of its own still clips for itself.
TEST(OptimiserSet, EachClipsItsOwnGradients) {
  const at::Tensor weight = leaf(0, 3);
  const at::Tensor critic = leaf(0, 0.5);
  TrainSettings settings = plain();
  settings.clip_norm = 1.0;
  OptimiserSet(settings, {{"new", {weight}}, {"critic", {critic}, 1.0, 1.0, "adversary"}}).step(kStart);
  EXPECT_THAT(weight.detach(), all_close(at::tensor({-0.1f}), 1e-6));
  EXPECT_THAT(critic.detach(), all_close(at::tensor({-0.05f}), 1e-6));
}

TEST(OptimiserSet, StateOfAllGoesAndComesBack) {
  TrainSettings settings = plain();
  settings.optimiser.momentum = 0.9;
  const auto groups = [](const at::Tensor& weight, const at::Tensor& critic) {
    return std::vector<ParameterGroup>{{"new", {weight}}, {"critic", {critic}, 1.0, 1.0, "adversary"}};
  };
  const at::Tensor weight = leaf(0, 1);
  const at::Tensor critic = leaf(0, 2);
  OptimiserSet first(settings, groups(weight, critic));
  first.step(kStart);
  const at::Tensor same_weight = leaf(weight.item<float>(), 1);
  const at::Tensor same_critic = leaf(critic.item<float>(), 2);
  OptimiserSet second(settings, groups(same_weight, same_critic));
  second.load_state(first.state());
  first.step(kStart);
  second.step(kStart);
  EXPECT_THAT(same_weight.detach(), equals_tensor(weight.detach()));
  EXPECT_THAT(same_critic.detach(), equals_tensor(critic.detach()));
  EXPECT_THROW(OptimiserSet(settings, {{"new", {leaf(0, 1)}}}).load_state(first.state()), ContractError);
}

}  // namespace
}  // namespace seedbed::fit
