#include "csv_table.hpp"

#include <algorithm>
#include <fstream>
#include <sstream>
#include <stdexcept>

namespace seedbed::testing {

double CsvTable::at(std::size_t row, const std::string& column) const {
  const auto found = std::find(columns.begin(), columns.end(), column);
  if (found == columns.end()) throw std::out_of_range("no column " + column);
  return rows.at(row).at(static_cast<std::size_t>(found - columns.begin()));
}

CsvTable read_csv(const std::filesystem::path& file) {
  CsvTable table;
  std::ifstream stream(file);
  for (std::string line; std::getline(stream, line);) {
    std::istringstream fields(line);
    const bool is_heading = table.columns.empty();
    if (!is_heading) table.rows.emplace_back();
    for (std::string field; std::getline(fields, field, ',');) {
      if (is_heading) {
        table.columns.push_back(field);
      } else {
        table.rows.back().push_back(std::stod(field));
      }
    }
  }
  return table;
}

}  // namespace seedbed::testing
