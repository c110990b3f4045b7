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

TEST(ClockText, ReadsLikeAClock) {
  EXPECT_EQ(clock_text(5), "0:05");
  EXPECT_EQ(clock_text(65.4), "1:05");
  EXPECT_EQ(clock_text(7384), "2:03:04");
}

}  // namespace
}  // namespace seedbed::run
