#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "report/material.hpp"
#include "report/study_choice.hpp"
#include "report/table.hpp"
#include "seedbed/error.hpp"

namespace seedbed::report {
namespace {

using Names = std::vector<std::string>;
using Labels = std::vector<std::string>;

// What a table shows where nobody says: one number a target.
const Names& headline_metrics() {
  static const Names names{"miou_union", "map_macro", "instance_map_50"};
  return names;
}

bool holds(const Names& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

std::size_t position(const Names& names, const std::string& name) {
  return static_cast<std::size_t>(std::find(names.begin(), names.end(), name) - names.begin());
}

// The first of equal names stays.
void add_name(Names& names, const std::string& name) {
  if (!holds(names, name)) names.push_back(name);
}

void require_known(const std::string& what, const Names& wanted, const Names& known) {
  for (const std::string& name : wanted) {
    if (holds(known, name)) continue;
    const std::string nearest = nearest_name(name, known);
    throw UserError("results table", fmt::format("The study has no such {}: `{}`.", what, name),
                    nearest.empty() ? fmt::format("it has: {}", fmt::join(known, ", "))
                                    : fmt::format("did you mean `{}`?", nearest));
  }
}

// Classes that have numbers, of one metric or ("") of any.
Names known_classes(const store::Store& store, const std::vector<Material>& materials, const std::string& metric) {
  Names classes;
  for (const Material& material : materials) {
    const store::QueryResult found =
        store.query(fmt::format("SELECT DISTINCT class_name FROM v_metrics "
                                "WHERE study_id = {} AND class_name <> '' AND ?1 IN ('', metric) ORDER BY 1",
                                material.study.id),
                    {metric});
    for (const auto& row : found.rows) add_name(classes, row[0].value_or(""));
  }
  return classes;
}

// Only names that somebody typed are refused; the study's own may belong to numbers that are still to come.
void check_names(const store::Store& store, const std::vector<Material>& materials, const TableOptions& options) {
  Names metrics, targets, roles, rules;
  for (const Material& material : materials) {
    for (const Mean& mean : material.means) {
      add_name(metrics, mean.metric);
      add_name(targets, mean.target);
      add_name(roles, mean.role);
      add_name(rules, mean.rule);
    }
  }
  if (!options.class_name.empty()) require_known("class", {options.class_name}, known_classes(store, materials, ""));
  if (metrics.empty()) return;  // nothing has finished yet
  for (const std::string& metric : options.metrics) {
    if (holds(metrics, metric)) continue;
    if (const Names classes = known_classes(store, materials, metric); !classes.empty()) {
      throw UserError("results table", fmt::format("The metric has no such number: `{}`.", metric),
                      fmt::format("name one of its classes with --class: {}", fmt::join(classes, ", ")));
    }
  }
  require_known("metric", options.metrics, metrics);
  require_known("target", options.targets, targets);
  require_known("role", options.roles, roles);
  require_known("rule", options.rules, rules);
}

void fill_from(const store::Json& report, const char* key, Names& option) {
  if (!option.empty() || !report.is_object() || !report.contains(key)) return;
  for (const store::Json& item : report.at(key)) {
    if (item.is_string()) option.push_back(item.get<std::string>());
  }
}

TableOptions with_report_table(TableOptions options, const store::Json& report) {
  fill_from(report, "metrics", options.metrics);
  fill_from(report, "targets", options.targets);
  fill_from(report, "roles", options.roles);
  fill_from(report, "rows", options.rows);
  fill_from(report, "columns", options.columns);
  return options;
}

// Keeps what the options ask for. Numbers of fits and choices are shown only where no score has the metric.
void select(std::vector<Material>& materials, TableOptions& options) {
  std::set<std::string> scored;
  for (const Material& material : materials) {
    for (const Mean& mean : material.means) {
      if (mean.stage_type == "score") scored.insert(mean.metric);
    }
  }
  if (options.metrics.empty()) {
    for (const std::string& name : headline_metrics()) {
      if (scored.contains(name)) options.metrics.push_back(name);
    }
    if (options.metrics.empty()) options.metrics.assign(scored.begin(), scored.end());
  }
  const auto unwanted = [&](const Mean& mean) {
    return !holds(options.metrics, mean.metric) || (scored.contains(mean.metric) && mean.stage_type != "score") ||
           (!options.targets.empty() && !holds(options.targets, mean.target)) ||
           (!options.roles.empty() && !holds(options.roles, mean.role)) ||
           (!options.rules.empty() && !holds(options.rules, mean.rule));
  };
  for (Material& material : materials) std::erase_if(material.means, unwanted);
}

std::string label_on(const Point::Levels& levels, const std::string& axis) {
  const auto level = levels.find(axis);
  return level == levels.end() ? "" : level->second;
}

Labels labels_of(const Point& point, const Names& axes) {
  Labels labels;
  for (const std::string& axis : axes) labels.push_back(label_on(point.levels, axis));
  return labels;
}

// No number is ever a mean over grid points, so an axis that stands nowhere goes down, unless the rows were named and it
// has one level only.
void place_axes(const std::vector<Material>& materials, TableOptions& options) {
  Names axes;
  for (const Material& material : materials) {
    for (const std::string& axis : material.study.axes) add_name(axes, axis);
  }
  require_known("axis", options.rows, axes);
  require_known("axis", options.columns, axes);
  std::erase_if(options.rows, [&](const std::string& axis) { return holds(options.columns, axis); });
  const bool rows_were_named = !options.rows.empty();
  for (const std::string& axis : axes) {
    if (holds(options.rows, axis) || holds(options.columns, axis)) continue;
    std::set<std::string> labels;
    for (const Material& material : materials) {
      for (const auto& [number, point] : material.points) labels.insert(label_on(point.levels, axis));
    }
    if (!rows_were_named || labels.size() > 1) options.rows.push_back(axis);
  }
}

// Decides which column a number belongs to, and the order of the columns: levels across as grid points first have them,
// then purposes as they stand in the plan, then metrics as asked for, then rules.
class ColumnOrder {
 public:
  using Key = std::tuple<std::size_t, std::size_t, std::size_t, std::string, std::size_t, std::string>;

  ColumnOrder(const std::vector<Material>& materials, const TableOptions& options) : options_(options) {
    for (const Material& material : materials) {
      for (const std::string& purpose : material.purposes) add_name(purposes_, purpose);
      for (const auto& [number, point] : material.points) {
        const Labels across = labels_of(point, options.columns);
        if (std::find(across_.begin(), across_.end(), across) == across_.end()) across_.push_back(across);
      }
    }
  }

  Key key(const Mean& mean, const Point& point) const {
    static const Names rules{"", "fixed", "chosen", "oracle"};
    const Labels across = labels_of(point, options_.columns);
    return {static_cast<std::size_t>(std::find(across_.begin(), across_.end(), across) - across_.begin()),
            position(purposes_, mean.purpose),
            position(options_.metrics, mean.metric),
            mean.target,
            position(rules, mean.rule),
            mean.unit};
  }

 private:
  const TableOptions& options_;
  Names purposes_;
  std::vector<Labels> across_;
};

// Scores of which nothing has come yet anywhere: a column of reasons. The purpose is all that is known of it.
std::vector<Mean> awaited(const std::vector<Material>& materials, const Material& material,
                          const TableOptions& options) {
  std::vector<Mean> means;
  if (!options.targets.empty() || !options.roles.empty()) return means;
  for (const auto& [number, point] : material.points) {
    for (const auto& [purpose, reasons] : point.absent) {
      const auto answers = [&name = purpose](const Material& other) { return other.answered.contains(name); };
      if (std::any_of(materials.begin(), materials.end(), answers)) continue;
      Mean mean;
      mean.point = number;
      mean.purpose = purpose;
      means.push_back(mean);
    }
  }
  return means;
}

class TableBuilder {
 public:
  TableBuilder(const std::vector<Material>& materials, const TableOptions& options)
      : materials_(materials), options_(options), order_(materials, options) {}

  Table build() {
    table_.study = materials_.front().study.name;
    table_.plan_digest = materials_.front().study.plan_digest;
    table_.axes = options_.rows;
    make_columns();
    for (const Material& material : materials_) make_rows(material);
    name_fixed_values();
    tell_columns_apart();
    rank();
    add_notes();
    return std::move(table_);
  }

 private:
  void make_columns() {
    std::map<ColumnOrder::Key, TableColumn> columns;
    const auto add = [&](const Mean& mean, const Point& point) {
      TableColumn column{mean.target, mean.metric, mean.role, mean.rule, mean.unit, mean.purpose, {}, {}, {}, {}};
      column.as_percent = mean.unit == "1" && mean.stage_type != "fit";
      for (const std::string& axis : options_.columns) {
        column.levels.push_back(axis + "=" + label_on(point.levels, axis));
      }
      columns.try_emplace(order_.key(mean, point), std::move(column));
    };
    for (const Material& material : materials_) {
      for (const Mean& mean : material.means) add(mean, material.points.at(mean.point));
      for (const Mean& mean : awaited(materials_, material, options_)) add(mean, material.points.at(mean.point));
    }
    for (auto& [key, column] : columns) {
      keys_.push_back(key);
      table_.columns.push_back(std::move(column));
    }
  }

  // The places of one grid point, by column; empty where a column is not the point's.
  std::map<std::size_t, Place> places_of(const Material& material, std::int64_t number, const Point& point) const {
    std::map<std::size_t, Place> places;
    for (std::size_t c = 0; c < keys_.size(); ++c) {
      const auto reasons = point.absent.find(table_.columns[c].purpose);
      if (reasons == point.absent.end() || std::get<0>(keys_[c]) != std::get<0>(order_.key({}, point))) continue;
      const auto total = static_cast<std::size_t>(point.num_cells.at(reasons->first));
      std::set<std::string> distinct(reasons->second.begin(), reasons->second.end());
      Place& place = places[c];
      place.missing = fmt::format("{}", fmt::join(distinct, ", "));
      if (reasons->second.size() < total) {
        place.missing = fmt::format("{} of {} random seeds: {}", reasons->second.size(), total, place.missing);
      }
    }
    for (const Mean& mean : material.means) {
      if (mean.point != number) continue;
      const auto at = std::lower_bound(keys_.begin(), keys_.end(), order_.key(mean, point));
      places[static_cast<std::size_t>(at - keys_.begin())].number = mean.number;
    }
    return places;
  }

  void make_rows(const Material& material) {
    const std::size_t first = table_.rows.size();
    for (const auto& [number, point] : material.points) {
      std::map<std::size_t, Place> places = places_of(material, number, point);
      const Labels labels = labels_of(point, options_.rows);
      const auto takes = [&](const TableRow& row) {
        return !options_.columns.empty() && row.labels == labels &&
               std::all_of(places.begin(), places.end(), [&](const auto& place) {
                 const Place& there = row.places[place.first];
                 return !there.number && there.missing.empty();
               });
      };
      auto row = std::find_if(table_.rows.begin() + static_cast<std::ptrdiff_t>(first), table_.rows.end(), takes);
      if (row == table_.rows.end()) {
        row = table_.rows.insert(
            row, {number, material.study.images_limit, labels, std::vector<Place>(table_.columns.size()), {}, {}});
      }
      if (!point.shown.empty()) add_name(row->shown, point.shown);
      for (auto& [column, place] : places) row->places[column] = std::move(place);
      for (const Point::Levels& levels : point.folded) {
        Names words;
        for (const auto& [axis, label] : levels) words.push_back(axis + "=" + label);
        row->remarks.push_back(fmt::format("stands for {} too: the configuration is the same", fmt::join(words, ", ")));
      }
    }
  }

  void name_fixed_values() {
    for (std::size_t c = 0; c < table_.columns.size(); ++c) {
      if (table_.columns[c].rule != "fixed") continue;
      std::set<double> values;
      for (const TableRow& row : table_.rows) {
        const std::optional<Number>& number = row.places[c].number;
        if (number && number->rule_minimum) values.insert({*number->rule_minimum, *number->rule_maximum});
      }
      if (values.size() == 1) table_.columns[c].fixed_value = *values.begin();
    }
  }

  void tell_columns_apart() {
    std::map<std::string, int> headings;
    for (const TableColumn& column : table_.columns) ++headings[column.heading()];
    std::vector<bool> ambiguous;
    for (const TableColumn& column : table_.columns) ambiguous.push_back(headings[column.heading()] > 1);
    for (std::size_t c = 0; c < ambiguous.size(); ++c) table_.columns[c].name_purpose = ambiguous[c];
  }

  // Runs on different numbers of images are never compared.
  void rank() {
    std::set<std::int64_t> limits;
    for (const TableRow& row : table_.rows) limits.insert(row.images_limit);
    for (const std::int64_t limit : limits) {
      for (std::size_t c = 0; c < table_.columns.size(); ++c) rank(c, limit);
    }
  }

  void rank(std::size_t column, std::int64_t limit) {
    std::vector<Number*> numbers;
    for (TableRow& row : table_.rows) {
      if (row.images_limit == limit && row.places[column].number) numbers.push_back(&*row.places[column].number);
    }
    if (numbers.size() < 2) return;
    const double sign = table_.columns[column].lower_is_better() ? -1.0 : 1.0;
    std::set<double, std::greater<>> values;
    for (const Number* number : numbers) values.insert(sign * number->mean);
    for (Number* number : numbers) {
      if (sign * number->mean == *values.begin()) {
        number->rank = 1;
      } else if (sign * number->mean == *std::next(values.begin())) {
        number->rank = 2;
      }
    }
  }

  void add_notes() {
    for (const Material& material : materials_) {
      if (material.study.images_limit > 0) {
        table_.notes.push_back(
            fmt::format("A trial on the first {} images of each role: its numbers compare with no "
                        "others.",
                        material.study.images_limit));
      }
      if (material.num_environments > 1) {
        table_.notes.push_back(
            fmt::format("The stages ran in {} different environments (device, threads, versions); "
                        "v_metrics says which.",
                        material.num_environments));
      }
    }
    for (const store::Json& exclusion : materials_.front().study.exclusions) {
      Names words;
      const store::Json levels = exclusion.value("levels", store::Json::object());
      for (const auto& [axis, label] : levels.items()) {
        words.push_back(axis + "=" + (label.is_string() ? label.get<std::string>() : label.dump()));
      }
      table_.notes.push_back(fmt::format("Left out: {}: {}.", fmt::join(words, ", "),
                                         exclusion.value("reason", std::string("no reason"))));
    }
  }

  const std::vector<Material>& materials_;
  const TableOptions& options_;
  ColumnOrder order_;
  std::vector<ColumnOrder::Key> keys_;  // of table_.columns, ascending
  Table table_;
};

}  // namespace

Table seeds_table(const store::Store& store, const TableOptions& asked) {
  std::vector<Material> materials;
  for (const ChosenStudy& study : chosen_studies(store, asked.study, asked.every_limit)) {
    materials.push_back(read_material(store, study, asked.class_name));
  }
  check_names(store, materials, asked);
  TableOptions options = with_report_table(asked, materials.front().study.report);
  select(materials, options);
  place_axes(materials, options);
  return TableBuilder(materials, options).build();
}

}  // namespace seedbed::report
