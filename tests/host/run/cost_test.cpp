#include "run/cost.hpp"

#include <gtest/gtest.h>

namespace seedbed::run {
namespace {

plan::PlannedStage seeds_stage(std::size_t images) {
  plan::PlannedStage stage;
  stage.spec.operation = "seeds";
  stage.spec.settings = {{"scales", {1.0}}, {"flip", false}};
  stage.spec.image_ids.assign(images, "image");
  return stage;
}

TEST(CostModel, ScalesWithImagesAndLearnsFromWhatItSaw) {
  CostModel costs;
  EXPECT_DOUBLE_EQ(costs.seconds(seeds_stage(20)), 2 * costs.seconds(seeds_stage(10)));
  costs.observe(seeds_stage(10), 30.0);
  EXPECT_DOUBLE_EQ(costs.seconds(seeds_stage(20)), 60.0);
}

TEST(CostModel, ACurveCostsItsSteps) {
  plan::PlannedStage causal = seeds_stage(10);
  causal.spec.operation = "causal";
  causal.spec.settings = {{"metrics", {"insertion_9_blur_logit"}}};
  const CostModel costs;
  const double one = costs.seconds(causal);
  EXPECT_GT(one, 10 * costs.seconds(seeds_stage(10)));
  causal.spec.settings["metrics"] = {"insertion_9_blur_logit", "deletion_19_grey_logit"};
  EXPECT_DOUBLE_EQ(costs.seconds(causal), 3 * one);
}

TEST(ClockText, ReadsLikeAClock) {
  EXPECT_EQ(clock_text(5), "0:05");
  EXPECT_EQ(clock_text(65.4), "1:05");
  EXPECT_EQ(clock_text(7384), "2:03:04");
}

}  // namespace
}  // namespace seedbed::run
