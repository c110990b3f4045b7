#include "fit/schedule.hpp"

#include <cmath>

#include <gtest/gtest.h>

namespace seedbed::fit {
namespace {

ScheduleSettings of(ScheduleKind kind) {
  ScheduleSettings schedule;
  schedule.kind = kind;
  return schedule;
}

// The rates that ToCo's and AFA's training logs print; the log of iteration n shows position n - 1.
TEST(Schedule, PolyWithWarmUpIsThatOfThePublishedLogs) {
  ScheduleSettings toco = of(ScheduleKind::poly_warmup);
  toco.warmup_steps = 1500;
  toco.warmup_ratio = 1e-6;
  toco.power = 0.9;
  const auto logged = [&](std::int64_t iteration) { return learning_rate_at(toco, 6e-5, iteration - 1, 20000); };
  EXPECT_NEAR(logged(200), 7.960e-6, 5e-10);
  EXPECT_NEAR(logged(2000), 5.457e-5, 5e-9);
  EXPECT_NEAR(logged(4000), 4.909e-5, 5e-9);
  EXPECT_NEAR(logged(20000), 8.077e-9, 5e-12);
  // Not restarted at the end of the rise: the rate steps down.
  EXPECT_GT(learning_rate_at(toco, 6e-5, 1499, 20000), learning_rate_at(toco, 6e-5, 1500, 20000));
  EXPECT_EQ(learning_rate_at(toco, 6e-5, 30000, 20000), learning_rate_at(toco, 6e-5, 19999, 20000));
}

TEST(Schedule, ConstantStays) {
  EXPECT_EQ(learning_rate_at(of(ScheduleKind::constant), 0.1, 0, 10), 0.1);
  EXPECT_EQ(learning_rate_at(of(ScheduleKind::constant), 0.1, 9, 10), 0.1);
}

TEST(Schedule, PolyFallsToNothing) {
  ScheduleSettings poly = of(ScheduleKind::poly);
  EXPECT_EQ(learning_rate_at(poly, 0.1, 0, 100), 0.1);
  EXPECT_NEAR(learning_rate_at(poly, 0.1, 50, 100), 0.1 * std::pow(0.5, 0.9), 1e-12);
  poly.update_every = 10;
  EXPECT_EQ(learning_rate_at(poly, 0.1, 59, 100), learning_rate_at(poly, 0.1, 50, 100));
}

// cnn.md, section 5.3: BAS counts on 26,450 steps and takes 6,610, so that the rate ends at 77 % of the first.
TEST(Schedule, MayCountOnMoreStepsThanThereAre) {
  ScheduleSettings poly = of(ScheduleKind::poly);
  poly.stretch = 4.0;
  EXPECT_EQ(learning_rate_at(poly, 0.005, 0, 6610), 0.005);
  EXPECT_NEAR(learning_rate_at(poly, 0.005, 6609, 6610), 0.005 * 0.772, 1e-6);
}

TEST(Schedule, StepsAtMilestones) {
  ScheduleSettings step = of(ScheduleKind::step);
  step.milestones = {4, 9};
  EXPECT_EQ(learning_rate_at(step, 1.0, 3, 15), 1.0);
  EXPECT_DOUBLE_EQ(learning_rate_at(step, 1.0, 4, 15), 0.1);
  EXPECT_DOUBLE_EQ(learning_rate_at(step, 1.0, 9, 15), 0.01);
}

TEST(Schedule, CosineEndsAtItsMinimum) {
  ScheduleSettings cosine = of(ScheduleKind::cosine);
  cosine.minimum_ratio = 0.2;
  cosine.warmup_steps = 10;
  cosine.warmup_ratio = 0.1;
  EXPECT_DOUBLE_EQ(learning_rate_at(cosine, 1.0, 0, 100), 0.1);
  EXPECT_DOUBLE_EQ(learning_rate_at(cosine, 1.0, 5, 100), 0.55);
  EXPECT_NEAR(learning_rate_at(cosine, 1.0, 50, 100), 0.6, 1e-12);
  EXPECT_NEAR(learning_rate_at(cosine, 1.0, 99, 100), 0.2, 1e-3);
}

// The released PolyWarmupSGD falls to the base rate from ten times it.
TEST(Schedule, ReleasedWarmUpFalls) {
  ScheduleSettings released = of(ScheduleKind::poly_warmup_sgd_released);
  released.warmup_steps = 6;
  EXPECT_DOUBLE_EQ(learning_rate_at(released, 0.01, 0, 25), 0.1);
  EXPECT_GT(learning_rate_at(released, 0.01, 1, 25), learning_rate_at(released, 0.01, 2, 25));
}

}  // namespace
}  // namespace seedbed::fit
