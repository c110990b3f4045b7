#include <algorithm>
#include <map>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "report/table.hpp"

namespace seedbed::report {
namespace {

std::vector<std::string> words_of(const TableColumn& column) {
  std::vector<std::string> words = column.levels;
  for (const std::string* word : {&column.target, &column.metric, &column.role}) {
    if (!word->empty()) words.push_back(*word);
  }
  if (column.metric.empty() || column.name_purpose) words.push_back(column.purpose);
  if (column.fixed_value) {
    words.push_back(fmt::format("({} {:.4g})", column.rule, *column.fixed_value));
  } else if (!column.rule.empty()) {
    words.push_back("(" + column.rule + ")");
  }
  return words;
}

// Signs for the reasons that make a number no fair one; letters are for all other notes.
const std::vector<std::string>& oracle_signs() {
  static const std::vector<std::string> signs{"†", "‡", "§"};
  return signs;
}

std::string rule_range(const Number& number) {
  if (!number.rule_minimum) return "";
  if (*number.rule_minimum == *number.rule_maximum) return fmt::format(" @ {:.4g}", *number.rule_minimum);
  return fmt::format(" @ {:.4g}–{:.4g}", *number.rule_minimum, *number.rule_maximum);
}

std::string limit_words(std::int64_t limit) { return limit == 0 ? "all" : fmt::format("first {}", limit); }

bool several_limits(const Table& table) {
  return std::any_of(table.rows.begin(), table.rows.end(),
                     [&](const TableRow& row) { return row.images_limit != table.rows.front().images_limit; });
}

// A table as a sheet; footnotes get their marks in the order in which they are met.
class SheetBuilder {
 public:
  explicit SheetBuilder(const Table& table) : table_(table), several_limits_(report::several_limits(table)) {}

  Sheet build() {
    sheet_.title = fmt::format("Study {}, plan {}", table_.study, table_.plan_digest.substr(0, 12));
    add_headings();
    find_common_shown();
    for (const TableRow& row : table_.rows) add_row(row);
    sheet_.notes.insert(sheet_.notes.end(), oracles_.begin(), oracles_.end());
    sheet_.notes.insert(sheet_.notes.end(), letters_.begin(), letters_.end());
    sheet_.notes.push_back(
        {"", "mean ± standard deviation over random seeds (n); stages that draw no numbers count once"});
    if (!common_shown_.empty()) sheet_.notes.push_back({"", "every row: " + common_shown_});
    for (const std::string& note : table_.notes) sheet_.notes.push_back({"", note});
    return std::move(sheet_);
  }

 private:
  void add_headings() {
    for (const std::string& axis : table_.axes) sheet_.headings.push_back({axis});
    if (table_.axes.empty()) sheet_.headings.push_back({"point"});
    if (several_limits_) sheet_.headings.push_back({"images"});
    for (const TableColumn& column : table_.columns) sheet_.headings.push_back({column.heading(), true});
  }

  void find_common_shown() {
    const auto differs = [&](const TableRow& row) {
      return row.shown.size() != 1 || row.shown != table_.rows.front().shown;
    };
    if (!table_.rows.empty() && std::none_of(table_.rows.begin(), table_.rows.end(), differs)) {
      common_shown_ = table_.rows.front().shown.front();
    }
  }

  void add_row(const TableRow& row) {
    auto& entries = sheet_.rows.emplace_back();
    for (const std::string& label : row.labels) entries.push_back({label.empty() ? "–" : label, {}, {}});
    if (table_.axes.empty()) entries.push_back({std::to_string(row.point), {}, {}});
    if (common_shown_.empty()) {
      for (const std::string& shown : row.shown) entries.front().marks.push_back(letter(shown));
    }
    for (const std::string& remark : row.remarks) entries.front().marks.push_back(letter(remark));
    if (several_limits_) entries.push_back({limit_words(row.images_limit), {}, {}});
    for (std::size_t c = 0; c < row.places.size(); ++c) entries.push_back(entry(row.places[c], table_.columns[c]));
  }

  Entry entry(const Place& place, const TableColumn& column) {
    if (!place.number) return {place.missing.empty() ? "–" : place.missing, {}, {}};
    const Number& number = *place.number;
    const auto value = [&](double x) {
      return column.as_percent ? fmt::format("{:.2f}", 100 * x) : fmt::format("{:.3f}", x);
    };
    Entry entry{value(number.mean), {}, {}, number.rank};
    if (number.spread) entry.rest += " ± " + value(*number.spread);
    entry.rest += fmt::format(" ({})", number.n);
    if (!column.fixed_value) entry.rest += rule_range(number);
    if (!number.oracle_reason.empty()) entry.marks.push_back(oracle_sign(number.oracle_reason));
    if (!place.missing.empty()) entry.marks.push_back(letter(place.missing));
    if (number.nondeterministic) entry.marks.push_back(letter("run again, a stage behind it gave another result"));
    return entry;
  }

  std::string oracle_sign(const std::string& reason) {
    for (const Note& note : oracles_) {
      if (note.text == "oracle: " + reason) return note.mark;
    }
    const std::size_t next = std::min(oracles_.size(), oracle_signs().size() - 1);
    oracles_.push_back({oracle_signs()[next], "oracle: " + reason});
    return oracles_.back().mark;
  }

  // a, b ... z, aa, ab ...
  std::string letter(const std::string& text) {
    for (const Note& note : letters_) {
      if (note.text == text) return note.mark;
    }
    std::string mark;
    for (std::size_t index = letters_.size() + 1; index > 0; index = (index - 1) / 26) {
      mark.insert(mark.begin(), static_cast<char>('a' + (index - 1) % 26));
    }
    letters_.push_back({mark, text});
    return mark;
  }

  const Table& table_;
  bool several_limits_;
  std::string common_shown_;
  std::vector<Note> oracles_;
  std::vector<Note> letters_;
  Sheet sheet_;
};

std::string full(const std::optional<double>& value) { return value ? fmt::format("{}", *value) : ""; }

// One column a quantity, shares in 0..1, so that a program need not take words apart.
std::string as_csv(const Table& table) {
  Sheet sheet;
  for (const std::string& axis : table.axes) sheet.headings.push_back({axis});
  if (table.axes.empty()) sheet.headings.push_back({"point"});
  sheet.headings.push_back({"images_limit"});
  for (const TableColumn& column : table.columns) {
    for (const char* quantity : {"mean", "spread", "n", "oracle", "missing"}) {
      sheet.headings.push_back({column.name() + " " + quantity});
    }
  }
  for (const TableRow& row : table.rows) {
    auto& entries = sheet.rows.emplace_back();
    const auto add = [&](const std::string& text) { entries.push_back({text, {}, {}}); };
    for (const std::string& label : row.labels) add(label);
    if (table.axes.empty()) add(std::to_string(row.point));
    add(std::to_string(row.images_limit));
    for (const Place& place : row.places) {
      const std::optional<Number>& number = place.number;
      add(number ? full(number->mean) : "");
      add(number ? full(number->spread) : "");
      add(number ? std::to_string(number->n) : "");
      add(number ? (number->oracle_reason.empty() ? "0" : "1") : "");
      add(place.missing);
    }
  }
  return rendered(sheet, Format::csv);
}

Json nullable(const std::optional<double>& value) { return value ? Json(*value) : Json(nullptr); }

Json as_json(const Place& place) {
  if (!place.number && place.missing.empty()) return nullptr;
  Json json = Json::object();
  if (const std::optional<Number>& number = place.number) {
    json = {{"mean", number->mean},
            {"spread", nullable(number->spread)},
            {"n", number->n},
            {"rule_minimum", nullable(number->rule_minimum)},
            {"rule_maximum", nullable(number->rule_maximum)},
            {"oracle", !number->oracle_reason.empty()},
            {"oracle_reason", number->oracle_reason},
            {"nondeterministic", number->nondeterministic}};
  }
  if (!place.missing.empty()) json["missing"] = place.missing;
  return json;
}

std::string as_json(const Table& table) {
  Json columns = Json::array();
  for (const TableColumn& column : table.columns) {
    columns.push_back({{"name", column.name()},
                       {"target", column.target},
                       {"metric", column.metric},
                       {"role", column.role},
                       {"rule", column.rule},
                       {"unit", column.unit},
                       {"purpose", column.purpose},
                       {"levels", column.levels}});
  }
  Json rows = Json::array();
  for (const TableRow& row : table.rows) {
    Json labels = Json::object();
    for (std::size_t i = 0; i < row.labels.size(); ++i) {
      labels[table.axes[i]] = row.labels[i].empty() ? Json(nullptr) : Json(row.labels[i]);
    }
    Json places = Json::array();
    for (const Place& place : row.places) places.push_back(as_json(place));
    rows.push_back({{"point", row.point},
                    {"images_limit", row.images_limit},
                    {"labels", labels},
                    {"values", places},
                    {"shown", row.shown},
                    {"remarks", row.remarks}});
  }
  const Json json = {{"study", table.study}, {"plan_digest", table.plan_digest},
                     {"axes", table.axes},   {"columns", columns},
                     {"rows", rows},         {"notes", table.notes}};
  return json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace

std::string TableColumn::name() const { return fmt::format("{}", fmt::join(words_of(*this), " ")); }

std::string TableColumn::heading() const {
  const std::string lines = fmt::format("{}", fmt::join(words_of(*this), "\n"));
  if (as_percent) return lines + " [%]";
  return unit.empty() || unit == "1" ? lines : fmt::format("{} [{}]", lines, unit);
}

bool TableColumn::lower_is_better() const {
  return unit == "s" || unit == "B" || metric.starts_with("loss") || metric.find("error") != std::string::npos ||
         metric.starts_with("false_") || metric.starts_with("fp_") || metric.starts_with("fn_") ||
         metric.starts_with("deletion_") || metric.starts_with("ece_") || metric.starts_with("mce_") ||
         metric.starts_with("rmsce_");
}

std::string rendered(const Table& table, Format format) {
  if (format == Format::json) return as_json(table);
  if (format == Format::csv) return as_csv(table);
  return rendered(SheetBuilder(table).build(), format);
}

}  // namespace seedbed::report
