#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

namespace seedbed::testing {

/// A CSV file of numbers below one row of names.
struct CsvTable {
  std::vector<std::string> columns;
  std::vector<std::vector<double>> rows;

  /// Throws: std::out_of_range for a column that is not there.
  double at(std::size_t row, const std::string& column) const;
};

CsvTable read_csv(const std::filesystem::path& file);

}  // namespace seedbed::testing
