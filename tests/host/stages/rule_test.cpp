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

at::Tensor tensor_by(const Rule& rule, const ScoreMaps& maps, std::int64_t height, std::int64_t width,
                     const at::Tensor& saliency = {}) {
  return labels_by(rule, maps, height, width, saliency).labels_nhw[0];
}

TEST(Rule, ThresholdGivesTheStrongestClassAboveIt) {
  const Rule rule = rule_from({{"rule", "threshold"}, {"value", 0.3}}, {});
  EXPECT_THAT(tensor_by(rule, row_maps(), 1, 4), equals_tensor(labels({2, 5, 0, 0})));
  EXPECT_EQ(rule.origin, "fixed");
}

TEST(Rule, PowerComparesWithTheBackgroundsPower) {
  // (1 - m)^1 = m at 0.5.
  EXPECT_THAT(tensor_by(rule_from({{"rule", "power"}, {"alpha", 1}}, {}), row_maps(), 1, 4),
              equals_tensor(labels({2, 5, 0, 0})));
  EXPECT_THAT(tensor_by(rule_from({{"rule", "power"}, {"alpha", 8}}, {}), row_maps(), 1, 4),
              equals_tensor(labels({2, 5, 5, 0})));
}

TEST(Rule, TwoThresholdsLeaveTheDoubtfulOut) {
  const Rule rule = rule_from({{"rule", "two_thresholds"}, {"high", 0.5}, {"low", 0.2}}, {});
  EXPECT_THAT(tensor_by(rule, row_maps(), 1, 4), equals_tensor(labels({2, 5, 255, 0})));
}

// The background falls off faster under the higher power: foreground beside (1 - m)^1, background beside (1 - m)^8.
TEST(Rule, TwoPowersLeaveTheDoubtfulOut) {
  const Rule rule = rule_from({{"rule", "two_powers"}, {"alpha_low", 1}, {"alpha_high", 8}}, {});
  EXPECT_THAT(tensor_by(rule, row_maps(), 1, 4), equals_tensor(labels({2, 5, 255, 0})));
}

TEST(Rule, AChosenValueComesFromOutside) {
  const Rule rule = rule_from({{"rule", "threshold"}, {"choose", {{"on", "select"}}}}, 0.7);
  EXPECT_EQ(rule.origin, "chosen");
  EXPECT_THAT(tensor_by(rule, row_maps(), 1, 4), equals_tensor(labels({2, 0, 0, 0})));
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
  EXPECT_THAT(tensor_by(rule_from({{"rule", "argmax"}}, {}), maps, 1, 4), equals_tensor(labels({2, 5, 0, 0})));
}

TEST(Rule, RefusesMapsThatDoNotFit) {
  EXPECT_THROW(tensor_by(rule_from({{"rule", "argmax"}}, {}), row_maps(), 1, 4), UserError);
  const Rule threshold = rule_from({{"rule", "threshold"}, {"value", 0.3}}, {});
  const ScoreMaps with_plane = with_background(threshold, row_maps(), 1, 4);
  EXPECT_THROW(tensor_by(threshold, with_plane, 1, 4), UserError);
  EXPECT_THROW(with_background(threshold, with_plane, 1, 4), UserError);
  EXPECT_THROW(tensor_by(threshold, row_maps(), 2, 8), ContractError);  // they cover another area
  EXPECT_THROW(rule_from({{"rule", "magic"}}, {}), ContractError);
  EXPECT_THROW(rule_from({{"rule", "threshold"}}, {}), ContractError);
}

// Saliency 255 255 0 0: beside 1 - S no class wins outside, and inside nothing wins where evidence is below the floor.
TEST(Rule, SaliencyIsTheBackgroundsScore) {
  const at::Tensor saliency = at::tensor({255, 60, 50, 0}, at::kByte).view({1, 4});
  const Json rule{{"rule", "saliency"}, {"floor", 0.65}};
  EXPECT_THAT(tensor_by(rule_from(rule, {}), row_maps(), 1, 4, saliency), equals_tensor(labels({2, 255, 0, 0})));
  Json tolerant = rule;
  tolerant["doubt_salient"] = false;
  EXPECT_THAT(tensor_by(rule_from(tolerant, {}), row_maps(), 1, 4, saliency), equals_tensor(labels({2, 0, 0, 0})));
  Json higher = tolerant;
  higher["salient"] = 100;
  higher["floor"] = 0.2;
  EXPECT_THAT(tensor_by(rule_from(higher, {}), row_maps(), 1, 4, saliency), equals_tensor(labels({2, 0, 0, 0})));
  EXPECT_EQ(side_of(rule_from(rule, {})), (std::set<std::string>{"saliency"}));
  EXPECT_TRUE(side_of(rule_from({{"rule", "argmax"}}, {})).empty());
  EXPECT_THROW(labels_by(rule_from(rule, {}), row_maps(), 1, 4), ContractError) << "it gets no saliency";
}

TEST(Rule, SoftSaliencyIsAPlaneToo) {
  const at::Tensor saliency = at::tensor({255, 51, 0, 102}, at::kByte).view({1, 4});
  const Rule rule = rule_from({{"rule", "saliency"}, {"soft", true}, {"floor", 0.0}}, {});
  const ScoreMaps maps = with_background(rule, row_maps(), 1, 4, saliency);
  EXPECT_THAT(maps.scores_nphw.select(1, 0), all_close(at::tensor({0.0f, 0.8f, 1.0f, 0.6f}).view({1, 1, 4}), 1e-6));
}

// A value above 1, as DRS's linear head gives it, wins outside of the saliency mask as well.
TEST(Rule, EvidenceAboveOneBeatsSaliency) {
  ScoreMaps maps = row_maps();
  maps.scores_nphw = maps.scores_nphw * 1.2;
  const Rule rule = rule_from({{"rule", "saliency"}}, {});
  EXPECT_THAT(tensor_by(rule, maps, 1, 4, at::zeros({1, 4}, at::kByte)), equals_tensor(labels({2, 0, 0, 0})));
}

TEST(Rule, ClaimsContradictEachOther) {
  ScoreMaps maps = row_maps();
  maps.scores_nphw = at::tensor({0.95f, 0.95f, 0.1f, 0.95f, 0.2f, 0.91f, 0.3f, 0.92f}).view({1, 2, 1, 4});
  const at::Tensor saliency = at::tensor({255, 255, 0, 0}, at::kByte).view({1, 4});
  Json rule{{"rule", "saliency"}, {"conflict", 0.9}, {"conflict_count", 3}};
  EXPECT_THAT(tensor_by(rule_from(rule, {}), maps, 1, 4, saliency), equals_tensor(labels({2, 2, 0, 255})));
  rule["conflict_count"] = 2;
  EXPECT_THAT(tensor_by(rule_from(rule, {}), maps, 1, 4, saliency), equals_tensor(labels({2, 255, 0, 255})));
  EXPECT_THAT(tensor_by(rule_from({{"rule", "threshold"}, {"value", 0.2}, {"conflict_count", 2}}, {}), maps, 1, 4),
              equals_tensor(labels({2, 255, 5, 255})));
}

TEST(Rule, WinningScoresBecomeConfidence) {
  Json rule{{"rule", "power"}, {"alpha", 1}, {"confidence", true}};
  const LabelMaps plain = labels_by(rule_from(rule, {}), row_maps(), 1, 4);
  EXPECT_THAT(plain.confidence_nhw, all_close(at::tensor({0.9f, 0.6f, 0.7f, 1.0f}).view({1, 1, 4}), 1e-6));
  rule["ignore_below"] = 0.65;
  const LabelMaps sure = labels_by(rule_from(rule, {}), row_maps(), 1, 4);
  EXPECT_THAT(sure.labels_nhw[0], equals_tensor(labels({2, 255, 0, 0})));
  EXPECT_THAT(sure.confidence_nhw, all_close(at::tensor({0.9f, 0.0f, 0.7f, 1.0f}).view({1, 1, 4}), 1e-6));
  rule["doubtful"] = "undecided";
  EXPECT_THAT(tensor_by(rule_from(rule, {}), row_maps(), 1, 4), equals_tensor(labels({2, 254, 0, 0})));
  const Json two{{"rule", "two_thresholds"}, {"high", 0.5}, {"low", 0.2}, {"doubtful", "undecided"}};
  EXPECT_THAT(tensor_by(rule_from(two, {}), row_maps(), 1, 4), equals_tensor(labels({2, 5, 254, 0})));
  EXPECT_FALSE(
      labels_by(rule_from({{"rule", "threshold"}, {"value", 0.3}}, {}), row_maps(), 1, 4).confidence_nhw.defined());
}

// Probabilities with their own background plane: CLIP-ES leaves out what is below 0.95.
TEST(Rule, ArgmaxMayLeaveOutWeakWinners) {
  ScoreMaps maps = row_maps();
  maps.scores_nphw = at::tensor({0.04f, 0.5f, 0.97f, 0.3f, 0.96f, 0.5f, 0.03f, 0.7f}).view({1, 2, 1, 4});
  maps.planes = {0, 5};
  const Rule rule = rule_from({{"rule", "argmax"}, {"ignore_below", 0.95}}, {});
  EXPECT_THAT(tensor_by(rule, maps, 1, 4), equals_tensor(labels({5, 255, 0, 255})));
}

TEST(Rule, ImagesWithoutAnyClassAreBackground) {
  ScoreMaps maps;
  maps.scores_nphw = at::zeros({1, 0, 1, 4});
  maps.covered = {{0, 0, 1, 4}};
  const at::Tensor saliency = at::tensor({255, 0, 0, 0}, at::kByte).view({1, 4});
  for (const Json& rule : {Json{{"rule", "threshold"}, {"value", 0.3}}, Json{{"rule", "power"}, {"alpha", 4}}})
    EXPECT_THAT(tensor_by(rule_from(rule, {}), maps, 1, 4), equals_tensor(labels({0, 0, 0, 0})));
  EXPECT_THAT(tensor_by(rule_from({{"rule", "saliency"}, {"confidence", true}}, {}), maps, 1, 4, saliency),
              equals_tensor(labels({255, 0, 0, 0})));
}

TEST(Rule, ClassAgnosticMapsHaveNoLabels) {
  ScoreMaps maps = row_maps();
  maps.scores_nphw = maps.scores_nphw.slice(1, 0, 1);
  maps.planes.clear();
  EXPECT_THROW(tensor_by(rule_from({{"rule", "threshold"}, {"value", 0.3}}, {}), maps, 1, 4), UserError);
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
