#include "protocol/metric_names.hpp"

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <set>
#include <string>

#include <gmock/gmock.h>

#include "seedbed/error.hpp"

namespace seedbed::protocol {
namespace {

using ::testing::HasSubstr;

std::string refusal_of(const std::string& name) {
  try {
    metric_name_from(name);
  } catch (const UserError& error) {
    return error.message() + " | " + error.hint();
  }
  return "";
}

TEST(MetricNames, AreFoundWithTheirNumbers) {
  const MetricName plain = metric_name_from("miou_union");
  EXPECT_TRUE(plain.is("miou_union"));
  EXPECT_EQ(plain.definition->of, MetricOf::counts);
  const MetricName boundary = metric_name_from("boundary_iou_0.02_void_dropped_images");
  EXPECT_TRUE(boundary.is("boundary_iou_*_void_dropped_images"));
  EXPECT_DOUBLE_EQ(boundary.number, 0.02);
  EXPECT_TRUE(metric_name_from("boundary_f_3px").is("boundary_f_*px"));
  EXPECT_TRUE(metric_name_from("boundary_f_0.008").is("boundary_f_*"));
  EXPECT_TRUE(metric_name_from("boundary_f_0.008_all_labels").is("boundary_f_*_all_labels"));
  EXPECT_TRUE(metric_name_from("pointing_15px_pooled").is("pointing_*px_pooled"));
  EXPECT_TRUE(metric_name_from("ece_15_lower").is("ece_*_lower"));
  EXPECT_EQ(metric_name_from("max_box_acc_any_50").definition->of, MetricOf::boxes);
  EXPECT_EQ(metric_name_from("max_box_acc_any_50_annotated").definition->of, MetricOf::annotated_boxes);
  EXPECT_EQ(metric_name_from("insertion_100_blur_probability").definition->of, MetricOf::causal);
  EXPECT_THAT(refusal_of("insertion_100"), HasSubstr("no such metric"));
  EXPECT_THAT(refusal_of("deletion_0_grey_logit"), HasSubstr("from 1 to 1000"));
}

TEST(MetricNames, ASlipIsAnsweredWithTheNearest) {
  EXPECT_THAT(refusal_of("miou_unoin"), HasSubstr("nearest: `miou_union`"));
  EXPECT_THAT(refusal_of("pointing_15"), HasSubstr("nearest: `pointing_*px`"));
  EXPECT_THAT(refusal_of("boundary_f_px"), HasSubstr("no such metric"));
  EXPECT_THAT(refusal_of("boundary_iou__void_cleared"), HasSubstr("no such metric"));
  EXPECT_THAT(refusal_of("boundary_f_nan"), HasSubstr("no such metric"));
}

TEST(MetricNames, ANumberHasBoundsAndOneSpelling) {
  EXPECT_THAT(refusal_of("boundary_f_1.5"), HasSubstr("from 0.0001 to 1"));
  EXPECT_THAT(refusal_of("boundary_f_2.5px"), HasSubstr("whole numbers"));
  EXPECT_THAT(refusal_of("max_box_acc_any_101"), HasSubstr("out of range"));
  EXPECT_THAT(refusal_of("boundary_f_0.0080"), HasSubstr("write 0.008"));
  EXPECT_THAT(refusal_of("boundary_f_5e-1"), HasSubstr("write 0.5"));
  EXPECT_EQ(refusal_of("boundary_f_0.0001"), "");
  EXPECT_THAT(refusal_of("pointing_015px"), HasSubstr("write 15"));
}

TEST(MetricNames, WhatComesWithATargetIsNotAskedFor) {
  EXPECT_THAT(refusal_of("map_macro"), HasSubstr("no such metric"));
  EXPECT_FALSE(can_be_named(MetricOf::instances));
  EXPECT_TRUE(can_be_named(MetricOf::boxes));
}

TEST(MetricNames, RepeatedOnesAreOne) {
  const auto names = metric_names_from({"iou", "pixel_ap", "iou"});
  ASSERT_EQ(names.size(), 2U);
  EXPECT_EQ(names_of(names, MetricOf::maps).size(), 1U);
  EXPECT_THROW(metric_names_from({"iou", "nothing"}), UserError);
}

TEST(MetricDefinitions, FormsAreDistinctAndHaveASentence) {
  std::set<std::string_view> forms;
  for (const MetricDefinition& metric : metric_definitions()) {
    EXPECT_TRUE(forms.insert(metric.form).second) << metric.form;
    EXPECT_TRUE(metric.meaning.ends_with('.')) << metric.form;
    const bool has_number = metric.form.find('*') != std::string_view::npos;
    EXPECT_EQ(has_number, metric.most > 0) << metric.form;
  }
}

// host/metrics/README.md holds the list; SEEDBED_APPROVE=1 writes it anew.
TEST(MetricDefinitions, AreWhatTheReadmeSays) {
  constexpr std::string_view kHeading = "## Names\n\n";
  const std::string path = SEEDBED_METRICS_README;
  std::ifstream stream(path);
  std::string readme{std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
  const std::size_t at = readme.find(kHeading);
  ASSERT_NE(at, std::string::npos);
  const std::string found = readme.substr(at + kHeading.size());
  if (std::getenv("SEEDBED_APPROVE")) {
    std::ofstream(path) << readme.substr(0, at + kHeading.size()) << metric_reference();
    return;
  }
  EXPECT_EQ(found, metric_reference());
}

}  // namespace
}  // namespace seedbed::protocol
