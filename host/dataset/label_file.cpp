#include "dataset/label_file.hpp"

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>

#include "dataset/csv.hpp"
#include "dataset/table_reader.hpp"
#include "seedbed/error.hpp"

namespace seedbed::dataset {
namespace {

// Collects the labels of one file, and what is wrong with it.
class LabelCollector {
 public:
  explicit LabelCollector(const ClassTable& classes) : classes_(classes) {}

  void add(const std::string& id, const std::vector<std::optional<std::int64_t>>& values,
           const std::vector<std::string>& texts, const std::string& where) {
    const auto [entry, is_new] = labels_.try_emplace(id);
    if (!is_new) problems_.emplace_back(where, "An image has labels twice: `" + id + "`.", "Each image has one line.");
    for (std::size_t i = 0; i < values.size(); ++i) add_one(entry->second, values[i], texts[i], where);
    std::ranges::sort(entry->second);
    entry->second.erase(std::unique(entry->second.begin(), entry->second.end()), entry->second.end());
  }

  void problem(std::string where, std::string what, std::string hint) {
    problems_.emplace_back(std::move(where), std::move(what), std::move(hint));
  }

  ImageLabels take() {
    throw_if_any(std::move(problems_));
    return std::move(labels_);
  }

 private:
  void add_one(std::vector<std::int64_t>& labels, std::optional<std::int64_t> value, const std::string& text,
               const std::string& where) {
    if (!value || *value < 0 || *value > 254 || !classes_.known_value[static_cast<std::size_t>(*value)]) {
      problem(
          where, "The classes do not hold this one: `" + text + "`.",
          did_you_mean(text, classes_.names) + "Numbers are those of the classes file; `label_offset` shifts them.");
      return;
    }
    const std::uint8_t label = classes_.label_of_value[static_cast<std::size_t>(*value)];
    if (label != 0 && label != 255) labels.push_back(label);
  }

  const ClassTable& classes_;
  ImageLabels labels_;
  std::vector<UserError> problems_;
};

std::vector<std::string> split_at_semicolons(std::string_view text) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(';'), text.size());
    if (end > 0) parts.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

// A name's smallest value in masks, or the number itself.
std::optional<std::int64_t> value_of(const std::string& text, const ClassTable& classes) {
  const auto name = std::ranges::find(classes.names, text);
  if (name == classes.names.end()) return whole_number(text);
  const auto label = static_cast<std::uint8_t>(name - classes.names.begin() + 1);
  for (std::size_t value = 0; value < 255; ++value)
    if (classes.known_value[value] && classes.label_of_value[value] == label) return static_cast<std::int64_t>(value);
  return std::nullopt;
}

// Published label files are also NumPy's pickles of dictionaries (`cls_labels.npy`): no text, so no lines.
void refuse_numpy(const std::filesystem::path& file) {
  if (file.extension() != ".npy") return;
  throw UserError(file.string(), "A label file of NumPy's is not read: `" + file.string() + "`.",
                  "It takes lines `ID class class ...`; print the dictionary that way.");
}

void collect_lines(const std::filesystem::path& file, std::int64_t offset, LabelCollector& collector) {
  refuse_numpy(file);
  std::int64_t number = 0;
  for (const std::string& line : read_lines(file, "label file")) {
    ++number;
    std::vector<std::string> words = words_of(line);
    if (words.empty()) continue;
    const std::string id = std::move(words.front());
    words.erase(words.begin());
    std::vector<std::optional<std::int64_t>> values;
    for (const std::string& word : words) {
      const auto value = whole_number(word);
      values.push_back(value ? std::optional(*value + offset) : std::nullopt);
    }
    collector.add(id, values, words, file.string() + ":" + std::to_string(number));
  }
}

}  // namespace

ImageLabels read_label_lines(const std::vector<std::filesystem::path>& files, const ClassTable& classes,
                             std::int64_t offset) {
  LabelCollector collector(classes);
  for (const std::filesystem::path& file : files) collect_lines(file, offset, collector);
  return collector.take();
}

ImageLabels read_label_table(const std::filesystem::path& file, const ClassTable& classes) {
  const CsvFile csv = read_csv(file);
  const std::size_t id = csv.column("id"), labels = csv.column("labels");
  LabelCollector collector(classes);
  for (const CsvFile::Row& row : csv.rows) {
    const std::vector<std::string> texts = split_at_semicolons(row.fields[labels]);
    std::vector<std::optional<std::int64_t>> values;
    for (const std::string& text : texts) values.push_back(value_of(text, classes));
    collector.add(row.fields[id], values, texts, csv.where(row));
  }
  return collector.take();
}

}  // namespace seedbed::dataset
