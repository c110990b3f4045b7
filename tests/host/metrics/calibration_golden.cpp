#include <string>
#include <tuple>

#include <ATen/ATen.h>

#include "evaluation_goldens.hpp"
#include "metrics/calibration.hpp"

namespace seedbed::testing {
namespace {

using namespace metrics;  // NOLINT(google-build-using-namespace): this file compares metrics and nothing else

constexpr double kTorchmetricsTolerance = 2e-6;  ///< from index.toml

Calibration calibrated(const at::Tensor& confidences, const at::Tensor& correct, BinSide side, EdgeType edges) {
  Calibration calibration(15, side, edges);
  calibration.add(confidences, correct);
  return calibration;
}

}  // namespace

void expect_calibration(const EvaluationGolden& golden) {
  const auto inputs = golden.open_inputs();
  const nlohmann::json expected = golden.expected_json();
  const at::Tensor probabilities = inputs->tensor("probabilities"), labels = inputs->tensor("labels");
  const auto [confidences, predicted] = probabilities.max(1);
  const at::Tensor correct = predicted.eq(labels);
  for (const auto& [name, side, edges] : {std::tuple("(lo, hi], edges float32", BinSide::upper, EdgeType::float32),
                                          std::tuple("[lo, hi), edges float32", BinSide::lower, EdgeType::float32),
                                          std::tuple("(lo, hi], edges float64", BinSide::upper, EdgeType::float64),
                                          std::tuple("[lo, hi), edges float64", BinSide::lower, EdgeType::float64)}) {
    SCOPED_TRACE(name);
    const Calibration found = calibrated(confidences, correct, side, edges);
    EXPECT_EQ(found.counts(), expected[name]["count"].get<std::vector<std::int64_t>>());
    expect_value(found.expected_error(), expected[name]["ece"], golden.tolerance);
    expect_value(found.maximum_error(), expected[name]["mce"], golden.tolerance);
    expect_value(found.root_mean_squared_error(), expected[name]["rmsce"], golden.tolerance);
    expect_value(found.accuracy(), expected["accuracy"], golden.tolerance);
    expect_value(found.mean_confidence(), expected["mean_confidence"], golden.tolerance);
  }
  const Calibration lower = calibrated(confidences, correct, BinSide::lower, EdgeType::float32);
  expect_value(lower.expected_error(), expected["torchmetrics l1"], kTorchmetricsTolerance);
  expect_value(lower.root_mean_squared_error(), expected["torchmetrics l2"], kTorchmetricsTolerance);
  expect_value(lower.maximum_error(), expected["torchmetrics max"], kTorchmetricsTolerance);
  const at::Tensor marked = inputs->tensor("labels_with_ignore"), kept = marked.ne(255).logical_and(marked.ge(0));
  ASSERT_LT(kept.sum().item<std::int64_t>(), kept.numel());
  const Calibration without_ignored = calibrated(
      confidences.masked_select(kept), predicted.eq(marked).masked_select(kept), BinSide::lower, EdgeType::float32);
  expect_value(without_ignored.expected_error(), expected["torchmetrics l1 with ignore_index"], kTorchmetricsTolerance);
  expect_value(equal_mass_error(confidences, correct), expected["equal_mass (stable sort, numpy array_split)"],
               golden.tolerance);
  expect_value(brier_score(probabilities, labels), expected["brier_sum_over_classes"], golden.tolerance);
  expect_value(negative_log_likelihood(probabilities, labels), expected["nll"], golden.tolerance);
}

}  // namespace seedbed::testing
