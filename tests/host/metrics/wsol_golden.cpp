#include <string>
#include <utility>

#include <ATen/ATen.h>

#include "evaluation_goldens.hpp"
#include "metrics/localisation.hpp"

namespace seedbed::testing {
namespace {

using metrics::Box;
using metrics::Contours;

const std::vector<double> kOverlaps{0.3, 0.5, 0.7};

std::vector<Box> boxes_of(const at::Tensor& corners_n4) {
  std::vector<Box> boxes;
  const auto* corner = corners_n4.const_data_ptr<std::int64_t>();
  for (std::int64_t i = 0; i < corners_n4.size(0); ++i, corner += 4)
    boxes.push_back({corner[0], corner[1], corner[2], corner[3]});
  return boxes;
}

void expect_boxes(const metrics::BoxAccuracy& boxes, Contours contours, const nlohmann::json& expected,
                  double tolerance) {
  for (std::size_t i = 0; i < kOverlaps.size(); ++i) {
    const auto& found = boxes.correct(contours, i);
    const auto counts = expected["correct at IoU " + std::to_string(30 + 20 * i)].get<std::vector<std::int64_t>>();
    EXPECT_EQ(std::vector(found.begin(), found.end()), counts) << kOverlaps[i];
    EXPECT_NEAR(100 * boxes.best(contours, i).value_or(-1), expected["max_box_acc"][i].get<double>(), 100 * tolerance);
  }
  EXPECT_NEAR(100 * boxes.mean_best(contours).value_or(-1), expected["mean_of_three"].get<double>(), 100 * tolerance);
}

// The golden's first bin holds values above 1, which there are none of.
template <typename Counts>
void expect_counts(const Counts& found, const nlohmann::json& expected) {
  const auto counts = expected.get<std::vector<std::int64_t>>();
  ASSERT_EQ(counts.size(), found.size() + 1);
  EXPECT_EQ(counts.front(), 0);
  EXPECT_EQ(std::vector(found.begin(), found.end()), std::vector(counts.begin() + 1, counts.end()));
}

}  // namespace

void expect_wsol(const EvaluationGolden& golden) {
  const auto inputs = golden.open_inputs();
  const nlohmann::json expected = golden.expected_json();
  metrics::BoxAccuracy boxes(kOverlaps);
  metrics::PixelPrecision pixels;
  for (int i = 0; inputs->contains("map." + std::to_string(i)); ++i) {
    const at::Tensor map = inputs->tensor("map." + std::to_string(i));
    boxes.add(map, boxes_of(inputs->tensor("boxes." + std::to_string(i))));
    pixels.add(map, inputs->tensor("mask." + std::to_string(i)));
  }
  EXPECT_EQ(boxes.num_maps(), expected["images"].get<std::int64_t>());
  expect_boxes(boxes, Contours::largest, expected["largest contour (V1)"], golden.tolerance);
  expect_boxes(boxes, Contours::any, expected["all contours (V2)"], golden.tolerance);
  const nlohmann::json& precision = expected["pixel_average_precision"];
  expect_counts(pixels.hits_from_above(), precision["tp_from_high_to_low"]);
  expect_counts(pixels.others_from_above(), precision["fp_from_high_to_low"]);
  expect_value(pixels.value(), precision["value"], golden.tolerance);
}

}  // namespace seedbed::testing
