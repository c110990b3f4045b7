#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace seedbed::dataset {

/// A comma-separated file with a header line. Fields may be quoted ("a, b", with "" for a quote); blank lines and a
/// byte-order mark are skipped.
struct CsvFile {
  struct Row {
    std::int64_t line = 0;
    std::vector<std::string> fields;  ///< as many as there are columns
  };

  std::filesystem::path path;
  std::vector<std::string> columns;
  std::vector<Row> rows;

  std::optional<std::size_t> find_column(std::string_view name) const;
  /// Throws: UserError with the nearest column.
  std::size_t column(std::string_view name) const;
  /// "FILE:LINE".
  std::string where(const Row& row) const;
};

/// Throws: UserErrors: missing file, no header, lines with another number of fields.
CsvFile read_csv(const std::filesystem::path& file);

/// Every line of a text file, without line ends. Throws: UserError where it cannot be read; `what` says what it is:
/// "list of images".
std::vector<std::string> read_lines(const std::filesystem::path& file, std::string_view what);

/// The blank-separated words of a line.
std::vector<std::string> words_of(std::string_view line);

/// All of `text` as a whole number; nullopt otherwise.
std::optional<std::int64_t> whole_number(std::string_view text);

}  // namespace seedbed::dataset
