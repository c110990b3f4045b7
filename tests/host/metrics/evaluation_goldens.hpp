#pragma once

#include <filesystem>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "weights/safetensors.hpp"

// One set of goldens/evaluation (or of a further folder with the same index).
namespace seedbed::testing {

struct EvaluationGolden {
  std::filesystem::path folder;
  std::string id;
  std::string inputs;
  std::vector<std::string> expected;
  double tolerance = 1e-12;

  std::shared_ptr<const weights::SafetensorsFile> open_inputs() const {
    return weights::SafetensorsFile::open(folder / inputs);
  }
  std::filesystem::path expected_file(const std::string& name) const { return folder / name; }
  nlohmann::json expected_json() const;  ///< the first of `expected` that ends in .json
};

void expect_boundary(const EvaluationGolden& golden);
void expect_calibration(const EvaluationGolden& golden);
void expect_confusion(const EvaluationGolden& golden);
void expect_multilabel(const EvaluationGolden& golden);
void expect_pointing(const EvaluationGolden& golden);
void expect_sweep(const EvaluationGolden& golden);
void expect_wsol(const EvaluationGolden& golden);

/// Values that others printed come from float32 arithmetic.
inline constexpr double kFloat32Tolerance = 1e-6;

/// null = undefined, "inf" = infinite.
inline void expect_value(const std::optional<double>& found, const nlohmann::json& expected, double tolerance) {
  ASSERT_EQ(found.has_value(), !expected.is_null()) << expected;
  if (expected == "inf") {
    EXPECT_EQ(*found, std::numeric_limits<double>::infinity());
    return;
  }
  if (found) {
    EXPECT_NEAR(*found, expected.get<double>(), tolerance);
  }
}

inline void expect_values(const std::vector<std::optional<double>>& found, const nlohmann::json& expected,
                          double tolerance) {
  ASSERT_EQ(found.size(), expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    SCOPED_TRACE(i);
    expect_value(found[i], expected[i], tolerance);
  }
}

}  // namespace seedbed::testing
