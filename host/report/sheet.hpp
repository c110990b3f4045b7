#pragma once

#include <string>
#include <vector>

#include "report/format.hpp"
#include "store/store.hpp"

namespace seedbed::report {

using Json = store::Json;

/// One entry of a sheet: `lead` may be set off (the best value of its column), `rest` follows it.
struct Entry {
  std::string lead;
  std::string rest;
  std::vector<std::string> marks;  ///< of footnotes: "†", "a" ...
  int rank = 0;                    ///< 1 = best, 2 = second, 0 = neither
};

struct Heading {
  std::string text;        ///< lines, which the text format stacks and the others join
  bool is_number = false;  ///< leads are set flush right
};

struct Note {
  std::string mark;  ///< "" for what concerns the whole sheet
  std::string text;
};

/// A table as it is printed, before any format.
struct Sheet {
  std::string title;
  std::vector<Heading> headings;
  std::vector<std::vector<Entry>> rows;
  std::vector<Note> notes;
};

/// As text, Markdown, CSV (no title, no notes, no marks) or LaTeX (booktabs; the best bold, the second underlined).
/// Requires: not Format::json, since a sheet holds words and no values.
std::string rendered(const Sheet& sheet, Format format);

/// What a query gave, in any format; JSON is an array of one object a row.
std::string rendered(const store::QueryResult& result, Format format);

}  // namespace seedbed::report
