#include "dataset/class_table.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

#include "dataset/csv.hpp"
#include "dataset/table_reader.hpp"
#include "seedbed/error.hpp"

namespace seedbed::dataset {
namespace {

constexpr std::int64_t kIgnore = 255;
constexpr std::int64_t kLargestLabel = 253;  ///< 254 means undecided, 255 ignore

ClassTable empty_table() {
  ClassTable table;
  table.label_of_value.fill(static_cast<std::uint8_t>(kIgnore));
  table.known_value[kIgnore] = true;
  return table;
}

void map_value(ClassTable& table, std::int64_t value, std::int64_t label) {
  table.label_of_value[static_cast<std::size_t>(value)] = static_cast<std::uint8_t>(label);
  table.known_value[static_cast<std::size_t>(value)] = true;
}

// A protocol by a name that the file has not, with what it has.
UserError no_such_protocol(const CsvFile& csv, const std::string& protocol) {
  std::vector<std::string> known;
  for (const std::string& column : csv.columns)
    if (column.size() > 3 && column.ends_with("_id")) known.push_back(column.substr(0, column.size() - 3));
  return {csv.path.string() + ":1", "The classes file has no such protocol: `" + protocol + "`.",
          did_you_mean(protocol, known) + "Protocols: " + quoted_list(known) + "."};
}

struct ReadRows {
  ClassTable table = empty_table();
  std::map<std::int64_t, std::vector<const CsvFile::Row*>> rows_of_label;
};

ReadRows read_rows(const CsvFile& csv, std::size_t id_column, std::size_t label_column) {
  ReadRows read;
  std::vector<UserError> problems;
  for (const CsvFile::Row& row : csv.rows) {
    const auto value = whole_number(row.fields[id_column]);
    const auto label = whole_number(row.fields[label_column]);
    if (!value || *value < 0 || *value > kLargestLabel || !label || *label < 0 || *label > kLargestLabel) {
      problems.emplace_back(csv.where(row),
                            "A class number is not legal: `" + row.fields[value ? label_column : id_column] + "`.",
                            "Class numbers are whole numbers from 0 (background) to 253.");
    } else if (read.table.known_value[static_cast<std::size_t>(*value)]) {
      problems.emplace_back(csv.where(row), "A class stands in the file twice: `" + row.fields[id_column] + "`.",
                            "Each `id` has one line.");
    } else {
      map_value(read.table, *value, *label);
      if (*label != 0) read.rows_of_label[*label].push_back(&row);
    }
  }
  throw_if_any(std::move(problems));
  if (!read.table.known_value[0]) map_value(read.table, 0, 0);
  return read;
}

// The name that all values of a label share in this column.
std::optional<std::string> shared_name(const std::vector<const CsvFile::Row*>& rows, std::size_t column) {
  for (const CsvFile::Row* row : rows)
    if (row->fields[column] != rows.front()->fields[column] || row->fields[column].empty()) return std::nullopt;
  return rows.front()->fields[column];
}

std::string name_column(const CsvFile& csv, const ReadRows& read, const std::string& names) {
  if (!names.empty()) return names;
  const bool one_each = std::ranges::all_of(read.rows_of_label, [](const auto& l) { return l.second.size() == 1; });
  return one_each || !csv.find_column("supercategory") ? "name" : "supercategory";
}

void read_names(const CsvFile& csv, const std::string& names, ReadRows& read) {
  const std::string column_name = name_column(csv, read, names);
  const std::size_t column = csv.column(column_name);
  std::vector<UserError> problems;
  std::int64_t expected = 1;
  for (const auto& [label, rows] : read.rows_of_label) {
    if (label != expected)
      problems.emplace_back(
          csv.where(*rows.front()), "Labels are missing before this one: `" + std::to_string(label) + "`.",
          "Labels count from 1 without holes; the next one would be " + std::to_string(expected) + ".");
    expected = label + 1;
    const auto name = shared_name(rows, column);
    if (!name)
      problems.emplace_back(
          csv.where(*rows.front()), "A label has no single name: `" + std::to_string(label) + "`.",
          "Column `" + column_name + "` should hold one name for all its lines; key `names` takes another.");
    read.table.names.push_back(name.value_or(""));
  }
  if (read.rows_of_label.empty())
    problems.emplace_back(csv.path.string(), "The classes file holds no class.", "Give at least one label above 0.");
  throw_if_any(std::move(problems));
}

}  // namespace

ClassTable voc_classes() {
  return plain_classes({"aeroplane", "bicycle",     "bird",  "boat",        "bottle", "bus",      "car",
                        "cat",       "chair",       "cow",   "diningtable", "dog",    "horse",    "motorbike",
                        "person",    "pottedplant", "sheep", "sofa",        "train",  "tvmonitor"});
}

ClassTable plain_classes(std::vector<std::string> names) {
  ClassTable table = empty_table();
  table.names = std::move(names);
  for (std::int64_t label = 0; label <= table.num_classes(); ++label) map_value(table, label, label);
  return table;
}

ClassTable read_classes(const std::filesystem::path& file, const std::string& protocol, const std::string& names) {
  const CsvFile csv = read_csv(file);
  const std::size_t id_column = csv.column("id");
  const auto label_column = protocol.empty() ? id_column : csv.find_column(protocol + "_id");
  if (!label_column) throw no_such_protocol(csv, protocol);
  ReadRows read = read_rows(csv, id_column, *label_column);
  read_names(csv, names, read);
  std::set<std::string_view> distinct(read.table.names.begin(), read.table.names.end());
  if (distinct.size() != read.table.names.size())
    throw UserError(file.string(), "Two labels have the same name.",
                    "Key `names` takes a column that tells them apart.");
  return std::move(read.table);
}

}  // namespace seedbed::dataset
