#include <cmath>
#include <string>
#include <vector>

#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include "csv_table.hpp"
#include "evaluation_goldens.hpp"
#include "metrics/sweep.hpp"
#include "support/tensor_matchers.hpp"

namespace seedbed::testing {
namespace {

using metrics::MeanOver;
using metrics::Sweep;
using metrics::SweptBackground;
using metrics::ThresholdType;

constexpr std::int64_t kNumLabels = 21;

struct Variant {
  const char* name;
  const char* maps;
  ThresholdType type;
};
constexpr Variant kVariants[] = {{"f32", "cam_f32", ThresholdType::float32},
                                 {"f16", "cam_f16", ThresholdType::float16},
                                 {"f16_as_f32", "cam_f16", ThresholdType::float32},
                                 {"f32_as_f64", "cam_f32", ThresholdType::float64}};

std::vector<metrics::ImageSweep> run(Sweep& sweep, const weights::SafetensorsFile& inputs, const std::string& maps) {
  std::vector<metrics::ImageSweep> images;
  for (int i = 0; inputs.contains((i < 10 ? "0" : "") + std::to_string(i) + ".gt"); ++i) {
    const std::string prefix = (i < 10 ? "0" : "") + std::to_string(i) + ".";
    const at::Tensor keys = inputs.tensor(prefix + "keys");
    const auto* key = keys.const_data_ptr<std::int64_t>();
    std::vector<std::int64_t> planes(key, key + keys.numel());
    images.push_back(sweep.count(inputs.tensor(prefix + maps).to(at::kFloat), planes, inputs.tensor(prefix + "gt")));
    sweep.add(images.back());
  }
  return images;
}

void expect_summary(const Sweep& sweep, const std::vector<metrics::ImageSweep>& images, const nlohmann::json& expected,
                    double tolerance) {
  const std::vector<double> curve = sweep.mean_iou_curve(MeanOver::unions);
  const std::size_t best = metrics::best_index(curve);
  EXPECT_EQ(sweep.values()[best], expected["best_threshold"].get<double>());
  EXPECT_NEAR(curve[best], expected["best_miou"].get<double>(), tolerance);
  EXPECT_NEAR(curve[15], expected["at_0.15"].get<double>(), tolerance);
  EXPECT_NEAR(curve[26], expected["at_0.26"].get<double>(), tolerance);
  for (std::size_t i = 0; i < images.size(); ++i) {
    std::vector<double> of_image;
    for (std::size_t t = 0; t < curve.size(); ++t)
      of_image.push_back(mean_iou(images[i].counts(t), MeanOver::unions).value_or(0));
    EXPECT_EQ(sweep.values()[metrics::best_index(of_image)], expected["per_image_best_threshold"][i].get<double>());
    EXPECT_NEAR(of_image[metrics::best_index(of_image)], expected["per_image_best_miou"][i].get<double>(), tolerance);
  }
}

void expect_constant(const EvaluationGolden& golden) {
  const auto inputs = golden.open_inputs();
  const auto counts = weights::SafetensorsFile::open(golden.expected_file("sweep_counts.safetensors"));
  const CsvTable table = read_csv(golden.expected_file("sweep_threshold.csv"));
  const nlohmann::json summary = golden.expected_json();
  for (const Variant& variant : kVariants) {
    SCOPED_TRACE(variant.name);
    Sweep sweep(kNumLabels, SweptBackground::constant, metrics::sweep_values(0, 0.99, 0.01), variant.type);
    const auto images = run(sweep, *inputs, variant.maps);
    EXPECT_GT(images.size(), 0U);
    const at::Tensor expected = counts->tensor(std::string("counts.") + variant.name);
    EXPECT_THAT(sweep.intersection_tk(), equals_tensor(expected.select(2, 0).contiguous()));
    EXPECT_THAT(sweep.truth_tk(), equals_tensor(expected.select(2, 1).contiguous()));
    EXPECT_THAT(sweep.predicted_tk(), equals_tensor(expected.select(2, 2).contiguous()));
    const std::vector<double> curve = sweep.mean_iou_curve(MeanOver::unions);
    for (std::size_t t = 0; t < curve.size(); ++t)
      EXPECT_NEAR(curve[t], table.at(t, std::string("miou_union_present_") + variant.name), golden.tolerance);
    expect_summary(sweep, images, summary["variants"][variant.name], golden.tolerance);
  }
}

// Pixels closer than 1e-6 to a tie may go either way; with none of them the background is equal to the pixel.
void expect_power(const EvaluationGolden& golden) {
  const CsvTable table = read_csv(golden.expected_file("sweep_alpha.csv"));
  std::vector<double> alphas;
  for (std::size_t row = 0; row < table.rows.size(); ++row) alphas.push_back(table.at(row, "alpha"));
  Sweep sweep(kNumLabels, SweptBackground::power, alphas);
  run(sweep, *golden.open_inputs(), "cam_f32");
  const std::vector<double> curve = sweep.mean_iou_curve(MeanOver::unions);
  for (std::size_t row = 0; row < alphas.size(); ++row) {
    SCOPED_TRACE(alphas[row]);
    const double ties = table.at(row, "pixels_within_1e-6_of_a_tie");
    const std::int64_t background = sweep.counts(row).predicted[0];
    EXPECT_NEAR(static_cast<double>(background), table.at(row, "pred_background_px_f64"), ties);
    if (ties == 0) {
      EXPECT_NEAR(curve[row], table.at(row, "miou_union_present_f64"), golden.tolerance);
    }
    EXPECT_NEAR(metrics::threshold_of_power(alphas[row]), table.at(row, "equivalent_constant_threshold"), 1e-7);
  }
}

}  // namespace

void expect_sweep(const EvaluationGolden& golden) {
  expect_constant(golden);
  expect_power(golden);
}

}  // namespace seedbed::testing
