#include "dataset/coco_classes.hpp"

#include <set>
#include <utility>

#include "dataset/class_table.hpp"
#include "dataset/csv.hpp"
#include "dataset/table_reader.hpp"
#include "seedbed/error.hpp"

namespace seedbed::dataset {
namespace {

std::size_t category_column(const CsvFile& csv) {
  for (const char* name : {"coco_category_id", "category_id"})
    if (const auto column = csv.find_column(name)) return *column;
  return csv.column("id");
}

}  // namespace

std::uint8_t CocoClasses::label_of(std::int64_t category_id) const {
  return table.label_of_value[value_of_category.at(category_id)];
}

CocoClasses classes_of_categories(const CocoAnnotations& annotations) {
  constexpr std::size_t most_classes = 253;
  const std::string where = annotations.file().string();
  std::vector<std::string> names;
  for (const CocoCategory& category : annotations.categories()) names.push_back(category.name);
  if (names.empty() || names.size() > most_classes)
    throw UserError(where, "The number of categories is not accepted: `" + std::to_string(names.size()) + "`.",
                    "From 1 to 253 become classes; a classes file can join several.");
  if (std::set<std::string>(names.begin(), names.end()).size() != names.size())
    throw UserError(where, "Two categories have the same name.",
                    "Name a file with the key `classes` that tells them apart.");
  CocoClasses classes;
  for (const CocoCategory& category : annotations.categories())
    classes.value_of_category[category.id] = static_cast<std::uint8_t>(classes.value_of_category.size() + 1);
  classes.table = plain_classes(std::move(names));
  return classes;
}

CocoClasses read_coco_classes(const std::filesystem::path& file, const std::string& protocol,
                              const std::string& names) {
  CocoClasses classes;
  classes.table = read_classes(file, protocol, names);
  const CsvFile csv = read_csv(file);
  const std::size_t value_column = csv.column("id"), column = category_column(csv);
  std::vector<UserError> problems;
  for (const CsvFile::Row& row : csv.rows) {
    const auto category = whole_number(row.fields[column]);
    const auto value = whole_number(row.fields[value_column]);  // read_classes has checked it
    if (!category || *category < 0) {
      problems.emplace_back(csv.where(row), "A category's number is not legal: `" + row.fields[column] + "`.",
                            "It is the `id` of one of the annotations' categories, or 0.");
    } else if (*category > 0 &&
               !classes.value_of_category.emplace(*category, static_cast<std::uint8_t>(*value)).second) {
      problems.emplace_back(csv.where(row), "A category stands in the file twice: `" + row.fields[column] + "`.",
                            "Each category has one line.");
    }
  }
  throw_if_any(std::move(problems));
  return classes;
}

void require_categories(const CocoClasses& classes, const CocoAnnotations& annotations) {
  std::vector<std::string> missing;
  for (const CocoCategory& category : annotations.categories())
    if (!classes.value_of_category.contains(category.id)) missing.push_back(category.name);
  if (missing.empty()) return;
  throw UserError(annotations.file().string(),
                  "The classes do not hold these categories: " + quoted_list(missing) + ".",
                  "Each category needs a line of the classes file; one that is background has label 0.");
}

}  // namespace seedbed::dataset
