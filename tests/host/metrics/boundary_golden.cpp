#include <map>
#include <string>
#include <utility>

#include <ATen/ATen.h>

#include "csv_table.hpp"
#include "evaluation_goldens.hpp"
#include "metrics/boundary.hpp"

namespace seedbed::testing {
namespace {

using namespace metrics;  // NOLINT(google-build-using-namespace): this file compares metrics and nothing else

constexpr std::int64_t kNumLabels = 21;

struct Pair {
  at::Tensor truth, prediction;
};

std::vector<Pair> read_pairs(const weights::SafetensorsFile& inputs) {
  std::vector<Pair> pairs;
  for (int i = 0; inputs.contains("gt." + std::to_string(i)); ++i)
    pairs.push_back({inputs.tensor("gt." + std::to_string(i)), inputs.tensor("pred." + std::to_string(i))});
  return pairs;
}

std::int64_t union_of(const LabelCounts& counts, std::size_t k) {
  return counts.truth[k] + counts.predicted[k] - counts.intersection[k];
}

void expect_boundary_iou(const std::vector<Pair>& pairs, const CsvTable& table, const nlohmann::json& summaries,
                         double tolerance) {
  for (const auto& [ratio_name, ratio] : {std::pair("0.02", 0.02), std::pair("0.05", 0.05)})
    for (const auto& [rule_name, rule] :
         {std::pair("zero", BoundaryVoid::cleared), std::pair("mask", BoundaryVoid::dropped)}) {
      SCOPED_TRACE(std::string(ratio_name) + " " + rule_name);
      const nlohmann::json& expected = summaries[std::string("ratio ") + ratio_name + ", void " + rule_name];
      LabelCounts sum(kNumLabels);
      std::vector<LabelCounts> images;
      std::vector<std::optional<double>> means;
      for (const Pair& pair : pairs) {
        images.push_back(boundary_counts(pair.truth, pair.prediction, kNumLabels, ratio, rule));
        sum += images.back();
        means.push_back(mean_iou(images.back(), MeanOver::unions));
      }
      const std::string suffix = std::string("_") + ratio_name + "_" + rule_name;
      for (std::size_t row = 0; row < table.rows.size(); ++row) {
        const LabelCounts& counts = images.at(static_cast<std::size_t>(table.at(row, "image")));
        const auto label = static_cast<std::size_t>(table.at(row, "class"));
        EXPECT_EQ(counts.intersection[label], table.at(row, "inter" + suffix)) << row;
        EXPECT_EQ(union_of(counts, label), table.at(row, "union" + suffix)) << row;
      }
      expect_values(iou(sum), expected["per_class_pooled"], tolerance);
      expect_value(mean_iou(sum, MeanOver::unions), expected["mean_pooled"], tolerance);
      expect_values(means, expected["per_image"], tolerance);
      expect_value(mean_defined(means), expected["mean_of_images"], tolerance);
    }
}

void expect_widths(const std::vector<Pair>& pairs, const CsvTable& table) {
  for (std::size_t row = 0; row < table.rows.size(); ++row) {
    const at::Tensor& truth = pairs.at(static_cast<std::size_t>(table.at(row, "image"))).truth;
    EXPECT_EQ(boundary_width_px(truth.size(0), truth.size(1), 0.02), table.at(row, "dilation_0.02"));
    EXPECT_EQ(boundary_width_px(truth.size(0), truth.size(1), 0.05), table.at(row, "dilation_0.05"));
  }
}

void expect_boundary_f(const std::vector<Pair>& pairs, const CsvTable& table, const nlohmann::json& expected,
                       double tolerance) {
  std::vector<std::optional<double>> all, foreground;
  for (const auto& [column, rule] :
       {std::pair("davis_f_0.008", BoundaryTolerance{}), std::pair("davis_f_3px", BoundaryTolerance{.pixels = 3})}) {
    std::vector<std::vector<std::optional<double>>> images;
    std::size_t count = 0;
    for (const Pair& pair : pairs) {
      images.push_back(boundary_f(pair.truth, pair.prediction, kNumLabels, rule));
      for (std::size_t label = 0; label < images.back().size(); ++label) count += images.back()[label] ? 1 : 0;
      if (rule.pixels) continue;
      all.insert(all.end(), images.back().begin(), images.back().end());
      foreground.insert(foreground.end(), images.back().begin() + 1, images.back().end());
    }
    EXPECT_EQ(count, table.rows.size());
    for (std::size_t row = 0; row < table.rows.size(); ++row) {
      const auto image = static_cast<std::size_t>(table.at(row, "image"));
      const auto label = static_cast<std::size_t>(table.at(row, "class"));
      expect_value(images.at(image).at(label), table.at(row, column), tolerance);
    }
  }
  expect_value(mean_defined(all), expected["mean_over_image_class_pairs"], tolerance);
  expect_value(mean_defined(foreground), expected["mean_foreground_pairs"], tolerance);
}

void expect_trimaps(const std::vector<Pair>& pairs, const nlohmann::json& expected, double tolerance) {
  for (const auto& [distance_name, distance] :
       {std::pair("euclidean", Distance::euclidean), std::pair("chessboard", Distance::chessboard)})
    for (const auto& [edges_name, edges] :
         {std::pair("true", TrimapEdges::all), std::pair("false", TrimapEdges::classes)})
      for (const int width : {0, 1, 2, 4, 8, 16}) {
        const std::string key =
            std::string(distance_name) + ", void_edges " + edges_name + ", width " + std::to_string(width);
        SCOPED_TRACE(key);
        LabelCounts sum(kNumLabels);
        for (const Pair& pair : pairs)
          sum += label_counts(count_confusion(trimap_truth(pair.truth, width, distance, edges), pair.prediction,
                                              kNumLabels, PredictedVoid::error));
        std::int64_t pixels = 0;
        for (std::int64_t count : sum.truth) pixels += count;
        EXPECT_EQ(pixels, expected[key]["pixels"].get<std::int64_t>());
        expect_value(mean_iou(sum, MeanOver::unions), expected[key]["mean_iou_union_present"], tolerance);
        expect_value(pixel_accuracy(sum), expected[key]["pixel_accuracy"], tolerance);
      }
}

}  // namespace

void expect_boundary(const EvaluationGolden& golden) {
  const std::vector<Pair> pairs = read_pairs(*golden.open_inputs());
  const CsvTable table = read_csv(golden.expected_file("boundary_pairs.csv"));
  const nlohmann::json expected = golden.expected_json();
  ASSERT_FALSE(pairs.empty());
  ASSERT_FALSE(table.rows.empty());
  expect_widths(pairs, table);
  expect_boundary_iou(pairs, table, expected["boundary_iou"], golden.tolerance);
  expect_boundary_f(pairs, table, expected["davis_boundary_f"], golden.tolerance);
  expect_trimaps(pairs, expected["trimap"], golden.tolerance);
}

}  // namespace seedbed::testing
