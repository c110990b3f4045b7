#include "stages/rule.hpp"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "seedbed/error.hpp"
#include "support/tensor_matchers.hpp"

namespace seedbed::stages {
namespace {

using testing::all_close;
using testing::equals_tensor;

// Two classes, 2 and 5, at a row of four pixels.
ScoreMaps row_maps() {
  ScoreMaps maps;
  maps.scores_nphw = at::tensor({0.9f, 0.4f, 0.1f, 0.0f, 0.2f, 0.6f, 0.3f, 0.0f}).view({1, 2, 1, 4});
  maps.planes = {2, 5};
  maps.covered = {{0, 0, 1, 4}};
  return maps;
}

at::Tensor labels(std::initializer_list<int> values) {
  return at::tensor(std::vector<int>(values), at::kByte).view({1, 4});
}

TEST(Rule, ThresholdGivesTheStrongestClassAboveIt) {
  const Rule rule = rule_from({{"rule", "threshold"}, {"value", 0.3}}, {});
  EXPECT_THAT(labels_by(rule, row_maps(), 1, 4), equals_tensor(labels({2, 5, 0, 0})));
  EXPECT_EQ(rule.origin, "fixed");
}

TEST(Rule, PowerComparesWithTheBackgroundsPower) {
  // (1 - m)^1 = m at 0.5.
  EXPECT_THAT(labels_by(rule_from({{"rule", "power"}, {"alpha", 1}}, {}), row_maps(), 1, 4), equals_tensor(labels({2, 5, 0, 0})));
  EXPECT_THAT(labels_by(rule_from({{"rule", "power"}, {"alpha", 8}}, {}), row_maps(), 1, 4), equals_tensor(labels({2, 5, 5, 0})));
}

TEST(Rule, TwoThresholdsLeaveTheDoubtfulOut) {
  const Rule rule = rule_from({{"rule", "two_thresholds"}, {"high", 0.5}, {"low", 0.2}}, {});
  EXPECT_THAT(labels_by(rule, row_maps(), 1, 4), equals_tensor(labels({2, 5, 255, 0})));
}

TEST(Rule, AChosenValueComesFromOutside) {
  const Rule rule = rule_from({{"rule", "threshold"}, {"choose", {{"on", "select"}}}}, 0.7);
  EXPECT_EQ(rule.origin, "chosen");
  EXPECT_THAT(labels_by(rule, row_maps(), 1, 4), equals_tensor(labels({2, 0, 0, 0})));
  EXPECT_THROW(rule_from({{"rule", "threshold"}, {"choose", {{"on", "select"}}}}, {}), ContractError);
}

TEST(Rule, AddsTheBackgroundPlaneInFront) {
  const ScoreMaps maps = with_background(rule_from({{"rule", "power"}, {"alpha", 2}}, {}), row_maps(), 1, 4);
  EXPECT_EQ(maps.planes, (std::vector<std::int64_t>{0, 2, 5}));
  EXPECT_THAT(maps.scores_nphw.select(1, 0), all_close(at::tensor({0.01f, 0.16f, 0.49f, 1.0f}).view({1, 1, 4}), 1e-6));
}

TEST(Rule, ArgmaxTakesThePlanesNames) {
  const Rule threshold = rule_from({{"rule", "threshold"}, {"value", 0.35}}, {});
  const ScoreMaps maps = with_background(threshold, row_maps(), 1, 4);
  EXPECT_THAT(labels_by(rule_from({{"rule", "argmax"}}, {}), maps, 1, 4), equals_tensor(labels({2, 5, 0, 0})));
}

TEST(Rule, RefusesMapsThatDoNotFit) {
  EXPECT_THROW(labels_by(rule_from({{"rule", "argmax"}}, {}), row_maps(), 1, 4), UserError);
  const Rule threshold = rule_from({{"rule", "threshold"}, {"value", 0.3}}, {});
  const ScoreMaps with_plane = with_background(threshold, row_maps(), 1, 4);
  EXPECT_THROW(labels_by(threshold, with_plane, 1, 4), UserError);
  EXPECT_THROW(with_background(threshold, with_plane, 1, 4), UserError);
  EXPECT_THROW(labels_by(threshold, row_maps(), 2, 8), ContractError);  // they cover another area
  EXPECT_THROW(rule_from({{"rule", "magic"}}, {}), ContractError);
  EXPECT_THROW(rule_from({{"rule", "threshold"}}, {}), ContractError);
}

TEST(Rule, ClassAgnosticMapsHaveNoLabels) {
  ScoreMaps maps = row_maps();
  maps.scores_nphw = maps.scores_nphw.slice(1, 0, 1);
  maps.planes.clear();
  EXPECT_THROW(labels_by(rule_from({{"rule", "threshold"}, {"value", 0.3}}, {}), maps, 1, 4), UserError);
}

TEST(Rule, MapsComeToTheImagesSizeByHalfPixelCentres) {
  ScoreMaps maps;
  maps.scores_nphw = at::tensor({0.0f, 1.0f}).view({1, 1, 1, 2});
  maps.planes = {1};
  maps.covered = {{0, 0, 1, 4}};
  EXPECT_THAT(planes_at_image(maps, 1, 4), all_close(at::tensor({0.0f, 0.25f, 0.75f, 1.0f}).view({1, 1, 4}), 1e-6));
}

}  // namespace
}  // namespace seedbed::stages
