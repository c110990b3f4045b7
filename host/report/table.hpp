#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "report/sheet.hpp"

namespace seedbed::report {

/// What a table shows. Empty lists mean: as the study's [report] table says, else the default.
struct TableOptions {
  std::string study;                 ///< a study's name; "" = the one run last
  std::vector<std::string> metrics;  ///< default: the headline metrics that the study has (miou_union, map_macro)
  std::vector<std::string> targets;  ///< default: all
  std::vector<std::string> roles;    ///< default: all
  std::vector<std::string> rules;    ///< of "", "fixed", "chosen", "oracle"; default: all
  std::string class_name;            ///< "" = totals
  std::vector<std::string> rows;     ///< axes, first ones leftmost; axes that stand nowhere are added, for no number
                                     ///< is ever a mean over grid points
  std::vector<std::string> columns;  ///< axes that stand across
  bool every_limit = false;          ///< runs on fewer images too, each in rows of its own
};

/// Mean over the distinct stages that gave a grid point's number.
struct Number {
  double mean = 0;
  std::optional<double> spread;  ///< sample standard deviation; unset for n = 1
  std::int64_t n = 0;
  std::optional<double> rule_minimum, rule_maximum;  ///< thresholds that the rule came to
  std::string oracle_reason;                         ///< "" for a fair number
  bool nondeterministic = false;                     ///< repeating one of its stages gave another result
  int rank = 0;                                      ///< 1 = best of its column, 2 = second
};

/// A place in the table: a number, or why there is none; both where some random seeds are missing.
struct Place {
  std::optional<Number> number;
  std::string missing;  ///< "failed (out_of_memory)", "planned" ...; with a number: "1 of 3 random seeds: failed ..."
};

struct TableColumn {
  std::string target, metric, role, rule, unit;
  std::string purpose;                ///< of the stages behind it: "score:seeds@measure"
  std::vector<std::string> levels;    ///< "crf=true": on the axes that stand across
  bool as_percent = false;            ///< a share in 0..1, printed in per cent
  bool name_purpose = false;          ///< another column has the same words
  std::optional<double> fixed_value;  ///< the rule's value where it is the same in all rows

  std::string name() const;     ///< "seeds miou_union measure (oracle)"
  std::string heading() const;  ///< the same in lines, with the unit
  bool lower_is_better() const;
};

struct TableRow {
  std::int64_t point = 0;  ///< the first grid point of the row
  std::int64_t images_limit = 0;
  std::vector<std::string> labels;   ///< one an axis; "" where the axis does not apply
  std::vector<Place> places;         ///< one a column
  std::vector<std::string> shown;    ///< what its methods were shown, from the ledger; several where axes stand across
  std::vector<std::string> remarks;  ///< further footnotes: folded grid points, unsteady stages
};

struct Table {
  std::string study;
  std::string plan_digest;
  std::vector<std::string> axes;  ///< headings of the rows' labels
  std::vector<TableColumn> columns;
  std::vector<TableRow> rows;
  std::vector<std::string> notes;  ///< on the whole table: images limit, exclusions, mixed environments
};

/// Mean and spread over random seeds, one row a grid point unless axes stand across.
/// Throws: UserError for a study, metric, target, role or axis that is not there, with the nearest name.
Table seeds_table(const store::Store& store, const TableOptions& options);

/// Text, Markdown and LaTeX print shares in per cent with two decimals; CSV and JSON hold full-precision values.
std::string rendered(const Table& table, Format format);

}  // namespace seedbed::report
