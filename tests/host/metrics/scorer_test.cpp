#include <algorithm>
#include <optional>
#include <string>

#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include "metrics/boundary.hpp"
#include "metrics/label_scorer.hpp"
#include "metrics/map_scorer.hpp"
#include "seedbed/error.hpp"

namespace seedbed::metrics {
namespace {

using protocol::metric_names_from;
using protocol::MetricOf;

std::optional<double> value_of(const std::vector<NamedValue>& values, const std::string& name,
                               std::optional<std::size_t> label = std::nullopt) {
  const auto found =
      std::ranges::find_if(values, [&](const NamedValue& v) { return v.name == name && v.label == label; });
  return found == values.end() ? std::nullopt : std::optional(found->value);
}

// A name of each form: numbers that every form takes.
std::vector<std::string> every_name(MetricOf of) {
  std::vector<std::string> names;
  for (const protocol::MetricDefinition& metric : protocol::metric_definitions()) {
    if (metric.of != of) continue;
    std::string name(metric.form);
    if (const auto star = name.find('*'); star != std::string::npos)
      name.replace(star, 1, metric.whole_number ? "3" : "0.1");
    names.push_back(name);
  }
  return names;
}

struct Pair {
  at::Tensor truth, prediction;
};

// Blocks, so that there are insides; void and undecided pixels.
Pair labels_of(std::int64_t seed) {
  const auto generator = at::make_generator<at::CPUGeneratorImpl>(static_cast<std::uint64_t>(seed));
  const auto blocks = [&] {
    return at::randint(0, 4, {6, 8}, generator, at::kByte).repeat_interleave(4, 0).repeat_interleave(4, 1).contiguous();
  };
  Pair pair{blocks(), blocks()};
  pair.truth[0][0] = 255;
  pair.prediction[3][3] = 254;
  return pair;
}

TEST(LabelScorer, KnowsEveryNameOfCountsAndOutlines) {
  std::vector<std::string> names = every_name(MetricOf::counts);
  const std::vector<std::string> outlines = every_name(MetricOf::outlines);
  names.insert(names.end(), outlines.begin(), outlines.end());
  LabelScorer scorer(metric_names_from(names), 4, PredictedVoid::background);
  const Pair pair = labels_of(1);
  scorer.add(pair.truth, pair.prediction);
  const std::vector<NamedValue> values = scorer.values();
  for (const std::string& name : names)
    EXPECT_TRUE(std::ranges::any_of(values, [&](const NamedValue& v) { return v.name == name; })) << name;
}

TEST(LabelScorer, PartsJoinedAreTheWhole) {
  const auto names = metric_names_from({"miou_union", "miou_images", "miou_classes", "boundary_iou_0.05_void_cleared",
                                        "boundary_iou_0.05_void_cleared_images", "boundary_f_2px",
                                        "trimap_miou_1px_disk_all_edges", "foreground_iou"});
  LabelScorer whole(names, 4, PredictedVoid::exclude), joined = whole;
  const LabelScorer none = whole;
  for (const std::int64_t seed : {1, 2, 3}) {
    const Pair pair = labels_of(seed);
    whole.add(pair.truth, pair.prediction);
    LabelScorer part = none;
    part.add(pair.truth, pair.prediction);
    joined += part;
  }
  const auto one = whole.values(), other = joined.values();
  ASSERT_EQ(one.size(), other.size());
  for (std::size_t i = 0; i < one.size(); ++i) {
    EXPECT_EQ(one[i].name, other[i].name);
    EXPECT_EQ(one[i].value, other[i].value) << one[i].name;
  }
  EXPECT_EQ(joined.images().size(), 3U);
  EXPECT_TRUE(none.values().empty()) << "a scorer that others were copied from stays as it was";
}

TEST(LabelScorer, PredictedVoidReachesOutlinesAsTheRuleSays) {
  const Pair pair{at::zeros({9, 9}, at::kByte), at::zeros({9, 9}, at::kByte)};
  pair.prediction[4][4] = 255;
  const auto boundary = [&](PredictedVoid rule) {
    LabelScorer scorer(metric_names_from({"boundary_iou_0.05_void_dropped"}), 2, rule);
    scorer.add(pair.truth, pair.prediction);
    return *value_of(scorer.values(), "boundary_iou_0.05_void_dropped");
  };
  EXPECT_EQ(boundary(PredictedVoid::background), 1);
  EXPECT_LT(boundary(PredictedVoid::error), 1);
}

TEST(LabelScorer, UndefinedAndInfiniteAreLeftOut) {
  LabelScorer scorer(metric_names_from({"fp_over_tp", "precision"}), 3, PredictedVoid::refuse);
  scorer.add(at::zeros({1, 4}, at::kByte), at::tensor({0, 0, 1, 1}, at::kByte).view({1, 4}));
  EXPECT_EQ(value_of(scorer.values(), "fp_over_tp", 0), 0.0);
  EXPECT_EQ(value_of(scorer.values(), "fp_over_tp", 1), std::nullopt);  // infinite
  EXPECT_EQ(value_of(scorer.values(), "precision", 1), 0.0);
  EXPECT_EQ(value_of(scorer.values(), "precision", 2), std::nullopt);  // 0/0
}

MapImage two_classes() {
  MapImage image{at::zeros({2, 8, 8}), {1, 3}, at::zeros({8, 8}, at::kByte), at::zeros({8, 8}, at::kByte)};
  image.truth_hw.slice(0, 0, 3).slice(1, 0, 3).fill_(1);
  image.truth_hw.slice(0, 5, 8).slice(1, 5, 8).fill_(2);
  image.instances_hw.copy_(image.truth_hw);
  image.maps_phw[0].slice(0, 0, 3).slice(1, 0, 3).fill_(
      1);  // class 1 is found, class 2 has no map, class 3 is not there
  image.maps_phw[1].fill_(1);
  return image;
}

TEST(MapScorer, KnowsEveryNameOfMapsAndBoxes) {
  std::vector<std::string> names = every_name(MetricOf::maps);
  const std::vector<std::string> boxes = every_name(MetricOf::boxes);
  names.insert(names.end(), boxes.begin(), boxes.end());
  MapScorer scorer(metric_names_from(names), 4);
  EXPECT_TRUE(scorer.needs_objects());
  scorer.add(two_classes());
  const std::vector<NamedValue> values = scorer.values();
  for (const std::string& name : names)
    EXPECT_TRUE(std::ranges::any_of(values, [&](const NamedValue& v) { return v.name == name; })) << name;
}

// Class 1 has its box found, class 2 has no map; class 3 has a box that no mask shows and a map that is everywhere.
TEST(MapScorer, AnnotatedBoxesAreAGroundTruthOfTheirOwn) {
  const std::vector<std::string> names = every_name(MetricOf::annotated_boxes);
  MapScorer scorer(metric_names_from(names), 4);
  EXPECT_TRUE(scorer.needs_annotated_boxes());
  EXPECT_FALSE(scorer.needs_objects());
  MapImage image = two_classes();
  image.annotated = {{1, {0, 0, 3, 3}}, {1, {6, 6, 7, 7}}, {2, {5, 5, 7, 7}}, {3, {0, 0, 7, 7}}};
  scorer.add(image);
  const auto values = scorer.values();
  for (const std::string& name : names)
    EXPECT_TRUE(std::ranges::any_of(values, [&](const NamedValue& v) { return v.name == name; })) << name;
  EXPECT_DOUBLE_EQ(*value_of(values, "max_box_acc_annotated"), 2.0 / 3);
  EXPECT_DOUBLE_EQ(*value_of(values, "max_box_acc_v2_annotated"), 2.0 / 3);
}

TEST(MapScorer, AsksForTheClassesThatTheImageShows) {
  MapScorer scorer(metric_names_from({"pointing_1px", "pointing_1px_all_classes", "pointing_1px_pooled", "pixel_ap",
                                      "mean_pixel_ap", "energy_inside"}),
                   4);
  EXPECT_FALSE(scorer.needs_objects());
  scorer.add(two_classes());
  const auto values = scorer.values();
  EXPECT_EQ(value_of(values, "pointing_1px", 1), 1.0);
  EXPECT_EQ(value_of(values, "pointing_1px", 2), 0.0) << "its map is of zeros: the first pixel";
  EXPECT_EQ(value_of(values, "pointing_1px", 3), std::nullopt);
  EXPECT_EQ(value_of(values, "pointing_1px"), 0.5);
  EXPECT_EQ(value_of(values, "pointing_1px_pooled"), 0.5);
  EXPECT_DOUBLE_EQ(*value_of(values, "pointing_1px_all_classes"), 1.0 / 3);
  EXPECT_EQ(value_of(values, "pixel_ap", 1), 1.0);
  EXPECT_DOUBLE_EQ(*value_of(values, "pixel_ap", 2), 9.0 / 64);
  EXPECT_DOUBLE_EQ(*value_of(values, "mean_pixel_ap"), (1 + 9.0 / 64) / 2);
  EXPECT_EQ(value_of(values, "energy_inside"), 1.0) << "a map of zeros has no share";
}

TEST(MapScorer, PartsJoinedAreTheWhole) {
  const auto names = metric_names_from({"pixel_ap", "pointing_3px", "max_box_acc_v2", "energy_inside_void_dropped"});
  MapScorer whole(names, 4), joined(names, 4);
  for (int i = 0; i < 2; ++i) {
    whole.add(two_classes());
    MapScorer part(names, 4);
    part.add(two_classes());
    joined += part;
  }
  const auto one = whole.values(), other = joined.values();
  ASSERT_EQ(one.size(), other.size());
  for (std::size_t i = 0; i < one.size(); ++i) EXPECT_EQ(one[i].value, other[i].value) << one[i].name;
}

TEST(MapScorer, RefusesMapsOfAnotherSize) {
  MapImage image = two_classes();
  image.truth_hw = at::zeros({4, 4}, at::kByte);
  MapScorer scorer(metric_names_from({"pixel_ap"}), 4);
  EXPECT_THROW(scorer.add(image), ContractError);
}

TEST(ProbabilityScorer, ComparesConfidenceWithAccuracy) {
  const auto names = metric_names_from({"ece_2", "ece_2_lower", "mce_2", "rmsce_2"});
  // Four pixels, one void: sure and right, sure and wrong, in doubt and right.
  const at::Tensor first = at::tensor({1.0F, 1.0F, 0.25F, 1.0F}).view({1, 1, 4});
  const at::Tensor probabilities = at::cat({first, 1 - first});
  const at::Tensor truth = at::tensor({0, 2, 2, 255}, at::kByte).view({1, 4});
  ProbabilityScorer scorer(names);
  scorer.add(probabilities, {0, 2}, truth);
  // Bin (0.5, 1]: confidences 1, 1, 0.75; right 2 of 3.
  EXPECT_NEAR(*value_of(scorer.values(), "ece_2"), (2.75 - 2) / 3, 1e-12);
  EXPECT_NEAR(*value_of(scorer.values(), "mce_2"), (2.75 - 2) / 3, 1e-12);
  // Bins [0.5, 1) and [1, 1]: gaps 0.25 and 0.5.
  EXPECT_NEAR(*value_of(scorer.values(), "ece_2_lower"), (0.25 + 2 * 0.5) / 3, 1e-12);
  ProbabilityScorer joined(names);
  joined += scorer;
  EXPECT_EQ(value_of(joined.values(), "rmsce_2"), value_of(scorer.values(), "rmsce_2"));
  EXPECT_THROW(scorer.add(probabilities, {0}, truth), ContractError);
}

}  // namespace
}  // namespace seedbed::metrics
