#pragma once

#include <charconv>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>

namespace seedbed::report {

// Reading the cells of a store::QueryResult, which gives every value as text that reads back equal.

inline std::optional<double> optional_number(const std::optional<std::string>& cell) {
  if (!cell) return std::nullopt;
  double value = std::numeric_limits<double>::quiet_NaN();
  std::from_chars(cell->data(), cell->data() + cell->size(), value);
  return value;
}

inline double number(const std::optional<std::string>& cell) { return optional_number(cell).value_or(0); }

inline std::int64_t integer(const std::optional<std::string>& cell) {
  std::int64_t value = 0;
  if (cell) std::from_chars(cell->data(), cell->data() + cell->size(), value);
  return value;
}

inline std::string text(const std::optional<std::string>& cell) { return cell.value_or(""); }

}  // namespace seedbed::report
