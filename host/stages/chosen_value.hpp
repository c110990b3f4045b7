#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace seedbed::stages {

/// What a choose stage found.
struct ChosenValue {
  double value = 0;
  std::string metric;
  double metric_value = 0;
  std::string curve_name;  ///< of x: "threshold" | "alpha"
  std::vector<double> x;
  std::vector<double> y;
};

/// Writes value.json into a stage's folder and returns its path.
std::filesystem::path write_chosen_value(const std::filesystem::path& folder, const ChosenValue& chosen);

/// Throws: UserError where the file is missing or damaged.
double read_chosen_value(const std::filesystem::path& artefact_folder, std::string_view key);

}  // namespace seedbed::stages
