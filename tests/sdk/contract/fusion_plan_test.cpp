#include "seedbed/fusion_plan.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "seedbed/error.hpp"

namespace seedbed {
namespace {

using testing::HasSubstr;

std::string refusal(const std::vector<std::string>& steps) {
  try {
    fusion_plan_from(steps);
  } catch (const UserError& error) {
    return error.what();
  }
  return "accepted";
}

TEST(FusionPlan, ReadsStepsAndArguments) {
  const FusionPlan plan = fusion_plan_from({"relu", "merge_flip:sum"});
  ASSERT_EQ(plan.steps.size(), 2u);
  EXPECT_EQ(plan.steps[0], (FusionStep{"relu", ""}));
  EXPECT_EQ(plan.steps[1], (FusionStep{"merge_flip", "sum"}));
}

TEST(FusionPlan, RefusesAnUnknownStepWithTheNearest) {
  EXPECT_THAT(refusal({"relu", "normalize:max"}), HasSubstr("`normalize:max`\n  nearest: `normalise:max`"));
  EXPECT_THAT(refusal({""}), HasSubstr("unknown fusion step ``"));
}

TEST(FusionPlan, RefusesAWrongArgumentWithTheLegalOnes) {
  EXPECT_THAT(refusal({"merge_flip:median"}), HasSubstr("accepted after `merge_flip:`: `sum`, `max`, `mean`"));
  EXPECT_THAT(refusal({"merge_flip"}), HasSubstr("needs another argument"));
  EXPECT_THAT(refusal({"relu:6"}), HasSubstr("takes no argument"));
}

TEST(FusionPlan, TheIrnListIsTheDesigns) {
  EXPECT_THAT(to_strings(named_fusion_plan("irn")),
              testing::ElementsAre("relu", "unflip", "merge_flip:sum", "resize:ceil16_crop", "merge_scales:sum",
                                   "mask_present", "normalise:max"));
}

// What check_fused_maps() demands: one map, in [0,1], zero for absent classes.
TEST(FusionPlan, EveryNamedListMergesNormalisesAndMasks) {
  for (const std::string& name : fusion_plan_names()) {
    const auto steps = to_strings(named_fusion_plan(name));
    const auto count = [&](const std::string& prefix) {
      return std::ranges::count_if(steps, [&](const std::string& step) { return step.starts_with(prefix); });
    };
    EXPECT_EQ(count("merge_flip:"), 1) << name;
    EXPECT_EQ(count("merge_scales:"), 1) << name;
    EXPECT_EQ(count("unflip"), 1) << name;
    EXPECT_EQ(count("mask_present"), 1) << name;
    EXPECT_EQ(count("normalise:"), 1) << name;
    EXPECT_EQ(count("relu"), 1) << name;
    EXPECT_EQ(fusion_plan_from(steps), named_fusion_plan(name));
  }
}

TEST(FusionPlan, RefusesAnUnknownName) {
  EXPECT_THROW(named_fusion_plan("irm"), UserError);
  try {
    named_fusion_plan("irm");
  } catch (const UserError& error) {
    EXPECT_THAT(error.hint(), HasSubstr("nearest: `irn`"));
    EXPECT_THAT(error.hint(), HasSubstr("`plain`"));
  }
}

}  // namespace
}  // namespace seedbed
