#include "dataset/csv.hpp"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <system_error>
#include <utility>

#include "dataset/table_reader.hpp"
#include "seedbed/error.hpp"

namespace seedbed::dataset {
namespace {

std::vector<std::string> fields_of(std::string_view line) {
  std::vector<std::string> fields(1);
  bool quoted = false;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (c == '"') {
      const bool escaped = quoted && i + 1 < line.size() && line[i + 1] == '"';
      if (escaped) fields.back() += line[++i];
      if (!escaped) quoted = !quoted;
    } else if (c == ',' && !quoted) {
      fields.emplace_back();
    } else {
      fields.back() += c;
    }
  }
  return fields;
}

}  // namespace

std::optional<std::size_t> CsvFile::find_column(std::string_view name) const {
  const auto found = std::ranges::find(columns, name);
  if (found == columns.end()) return std::nullopt;
  return static_cast<std::size_t>(found - columns.begin());
}

std::size_t CsvFile::column(std::string_view name) const {
  if (const auto index = find_column(name)) return *index;
  throw UserError(path.string() + ":1", "The file has no such column: `" + std::string(name) + "`.",
                  did_you_mean(name, columns) + "Columns: " + quoted_list(columns, 20) + ".");
}

std::string CsvFile::where(const Row& row) const { return path.string() + ":" + std::to_string(row.line); }

CsvFile read_csv(const std::filesystem::path& file) {
  CsvFile csv{file, {}, {}};
  std::vector<UserError> problems;
  std::int64_t number = 0;
  for (const std::string& line : read_lines(file, "table")) {
    ++number;
    if (line.find_first_not_of(" \t") == std::string::npos) continue;
    std::vector<std::string> fields = fields_of(line);
    if (csv.columns.empty()) {
      csv.columns = std::move(fields);
    } else if (fields.size() != csv.columns.size()) {
      problems.emplace_back(
          file.string() + ":" + std::to_string(number),
          "The line has another number of fields than the header: `" + std::to_string(fields.size()) + "`.",
          "The header names " + std::to_string(csv.columns.size()) + " columns.");
    } else {
      csv.rows.push_back({number, std::move(fields)});
    }
  }
  if (csv.columns.empty())
    problems.emplace_back(file.string(), "The table is empty.", "Its first line names the columns.");
  throw_if_any(std::move(problems));
  return csv;
}

std::vector<std::string> read_lines(const std::filesystem::path& file, std::string_view what) {
  constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";
  std::error_code error;
  std::ifstream stream(file);
  if (!std::filesystem::is_regular_file(file, error) || !stream)
    throw UserError(file.string(), "The " + std::string(what) + " cannot be read: `" + file.string() + "`.",
                    "Check the path and its permissions.");
  std::vector<std::string> lines;
  for (std::string line; std::getline(stream, line);) {
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (lines.empty() && line.starts_with(byte_order_mark)) line.erase(0, byte_order_mark.size());
    lines.push_back(std::move(line));
  }
  return lines;
}

std::vector<std::string> words_of(std::string_view line) {
  constexpr std::string_view blanks = " \t\r";
  std::vector<std::string> words;
  while (true) {
    const std::size_t begin = line.find_first_not_of(blanks);
    if (begin == std::string_view::npos) return words;
    line.remove_prefix(begin);
    const std::size_t end = line.find_first_of(blanks);
    words.emplace_back(line.substr(0, end));
    if (end == std::string_view::npos) return words;
    line.remove_prefix(end);
  }
}

std::optional<std::int64_t> whole_number(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return value;
}

}  // namespace seedbed::dataset
