#include "report/sheet.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

#include "report/query_values.hpp"
#include "seedbed/error.hpp"

namespace seedbed::report {
namespace {

// Width on a terminal: code points, which is exact for what tables here hold.
std::size_t width(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

std::string padding(std::size_t wanted, std::string_view text) {
  return std::string(wanted - std::min(wanted, width(text)), ' ');
}

// Messages come from plugins: what steers a terminal, or breaks a line, becomes a blank.
std::string one_line(std::string text) {
  for (char& letter : text) {
    if (static_cast<unsigned char>(letter) < 0x20 || letter == 0x7F) letter = ' ';
  }
  return text;
}

std::string without_trailing_blanks(std::string line) {
  line.erase(line.find_last_not_of(' ') + 1);
  return line;
}

std::string replaced(const std::string& text, const std::vector<std::pair<std::string_view, std::string_view>>& pairs) {
  std::string result;
  for (std::size_t i = 0; i < text.size();) {
    const auto match = std::find_if(pairs.begin(), pairs.end(), [&](const auto& pair) {
      return text.compare(i, pair.first.size(), pair.first) == 0;
    });
    if (match == pairs.end()) {
      result += text[i++];
    } else {
      result += match->second;
      i += match->first.size();
    }
  }
  return result;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines(1);
  for (const char letter : text) {
    if (letter == '\n') {
      lines.emplace_back();
    } else {
      lines.back() += letter;
    }
  }
  return lines;
}

// "†" stands for itself; letters would run into the words.
std::string in_brackets(const std::vector<std::string>& marks) {
  std::string text;
  for (const std::string& mark : marks) {
    const bool is_letter = static_cast<unsigned char>(mark.front()) < 0x80;
    text += is_letter ? "[" + mark + "]" : mark;
  }
  return text.empty() ? text : " " + text;
}

std::string joined(const std::vector<std::string>& marks) {
  std::string text;
  for (const std::string& mark : marks) text += (text.empty() ? "" : ",") + mark;
  return text;
}

struct Widths {
  std::size_t lead = 0;
  std::size_t whole = 0;
};

std::string as_text(const Sheet& sheet) {
  const std::size_t num_columns = sheet.headings.size();
  std::vector<Widths> widths(num_columns);
  std::vector<std::vector<std::string>> headings;
  std::size_t num_lines = 1;
  for (const Heading& heading : sheet.headings) {
    headings.push_back(lines_of(heading.text));
    num_lines = std::max(num_lines, headings.back().size());
  }
  for (const auto& row : sheet.rows) {
    for (std::size_t c = 0; c < num_columns; ++c) {
      if (sheet.headings[c].is_number) widths[c].lead = std::max(widths[c].lead, width(row[c].lead));
    }
  }
  const auto body = [&](const Entry& entry, std::size_t c) {
    const std::string lead = one_line(entry.lead);
    const std::string tail = one_line(entry.rest) + in_brackets(entry.marks);
    return sheet.headings[c].is_number ? padding(widths[c].lead, lead) + lead + tail : lead + tail;
  };
  for (std::size_t c = 0; c < num_columns; ++c) {
    for (const std::string& line : headings[c]) widths[c].whole = std::max(widths[c].whole, width(line));
    for (const auto& row : sheet.rows) widths[c].whole = std::max(widths[c].whole, width(body(row[c], c)));
  }
  std::string text = sheet.title.empty() ? "" : sheet.title + "\n\n";
  const auto add_line = [&](const auto& cell_text) {
    std::string line;
    for (std::size_t c = 0; c < num_columns; ++c) {
      const std::string cell = cell_text(c);
      line += (c > 0 ? "  " : "") + cell + padding(widths[c].whole, cell);
    }
    text += without_trailing_blanks(line) + "\n";
  };
  for (std::size_t line = 0; line < num_lines; ++line) {
    add_line([&](std::size_t c) {
      const std::size_t above = num_lines - headings[c].size();  // headings stand on the rule
      return line < above ? std::string() : headings[c][line - above];
    });
  }
  add_line([&](std::size_t c) {
    std::string rule;
    for (std::size_t i = 0; i < widths[c].whole; ++i) rule += "─";
    return rule;
  });
  for (const auto& row : sheet.rows) add_line([&](std::size_t c) { return body(row[c], c); });
  if (!sheet.notes.empty()) text += "\n";
  for (const Note& note : sheet.notes) {
    const std::string mark = note.mark.empty() ? "" : in_brackets({note.mark}).substr(1) + " ";
    text += mark + one_line(note.text) + "\n";
  }
  return text;
}

std::string markdown_safe(const std::string& text) {
  return replaced(one_line(text), {{"|", "\\|"}, {"<", "&lt;"}, {"*", "\\*"}, {"\\", "\\\\"}});
}

std::string as_markdown(const Sheet& sheet) {
  std::string text = sheet.title.empty() ? "" : "**" + markdown_safe(sheet.title) + "**\n\n";
  std::string rule;
  for (const Heading& heading : sheet.headings) {
    text += "| " + markdown_safe(heading.text) + " ";
    rule += heading.is_number ? "| ---: " : "| --- ";
  }
  text += "|\n" + rule + "|\n";
  for (const auto& row : sheet.rows) {
    for (const Entry& entry : row) {
      static constexpr std::array<std::pair<const char*, const char*>, 3> emphasis{
          {{"", ""}, {"**", "**"}, {"<u>", "</u>"}}};
      const auto& [open, close] = emphasis.at(static_cast<std::size_t>(entry.rank));
      const std::string marks = entry.marks.empty() ? "" : "<sup>" + joined(entry.marks) + "</sup>";
      text += fmt::format("| {}{}{}{}{} ", open, markdown_safe(entry.lead), close, markdown_safe(entry.rest), marks);
    }
    text += "|\n";
  }
  for (const Note& note : sheet.notes) {
    const std::string mark = note.mark.empty() ? "" : "<sup>" + note.mark + "</sup> ";
    text += "\n" + mark + markdown_safe(note.text) + "\n";
  }
  return text;
}

std::string csv_field(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  return "\"" + replaced(text, {{"\"", "\"\""}}) + "\"";
}

std::string as_csv(const Sheet& sheet) {
  std::string text;
  for (std::size_t c = 0; c < sheet.headings.size(); ++c)
    text += (c ? "," : "") + csv_field(one_line(sheet.headings[c].text));
  text += "\n";
  for (const auto& row : sheet.rows) {
    for (std::size_t c = 0; c < row.size(); ++c) text += (c ? "," : "") + csv_field(row[c].lead + row[c].rest);
    text += "\n";
  }
  return text;
}

std::string latex_safe(const std::string& text) {
  return replaced(one_line(text), {{"\\", "\\textbackslash{}"},
                                   {"&", "\\&"},
                                   {"%", "\\%"},
                                   {"$", "\\$"},
                                   {"#", "\\#"},
                                   {"_", "\\_"},
                                   {"{", "\\{"},
                                   {"}", "\\}"},
                                   {"~", "\\textasciitilde{}"},
                                   {"^", "\\textasciicircum{}"},
                                   {"±", "$\\pm$"},
                                   {"–", "--"},
                                   {"†", "$\\dagger$"},
                                   {"‡", "$\\ddagger$"},
                                   {"§", "\\S{}"},
                                   {"<", "$<$"},
                                   {">", "$>$"}});
}

std::string latex_entry(const Entry& entry) {
  std::string lead = latex_safe(entry.lead);
  if (entry.rank == 1) lead = "\\textbf{" + lead + "}";
  if (entry.rank == 2) lead = "\\underline{" + lead + "}";
  const std::string marks = entry.marks.empty() ? "" : "\\textsuperscript{" + latex_safe(joined(entry.marks)) + "}";
  return lead + latex_safe(entry.rest) + marks;
}

std::string as_latex(const Sheet& sheet) {
  std::string text = "% " + one_line(sheet.title) + "\n% needs \\usepackage{booktabs}\n\\begin{tabular}{";
  for (const Heading& heading : sheet.headings) text += heading.is_number ? 'r' : 'l';
  text += "}\n\\toprule\n";
  for (std::size_t c = 0; c < sheet.headings.size(); ++c) {
    text += (c ? " & " : "") + latex_safe(sheet.headings[c].text);
  }
  text += " \\\\\n\\midrule\n";
  for (const auto& row : sheet.rows) {
    for (std::size_t c = 0; c < row.size(); ++c) text += (c ? " & " : "") + latex_entry(row[c]);
    text += " \\\\\n";
  }
  text += "\\bottomrule\n\\end{tabular}\n";
  for (const Note& note : sheet.notes) {
    const std::string mark = note.mark.empty() ? "" : "\\textsuperscript{" + latex_safe(note.mark) + "}~";
    text += "\\par\\footnotesize " + mark + latex_safe(note.text) + "\n";
  }
  return text;
}

}  // namespace

Format format_from(std::string_view name) {
  static const std::vector<std::string> names{"text", "markdown", "csv", "latex", "json"};
  const auto found = std::find(names.begin(), names.end(), name);
  if (found != names.end()) return static_cast<Format>(found - names.begin());
  const std::string nearest = nearest_name(name, names);
  throw UserError("--format", fmt::format("There is no such format: `{}`.", name),
                  nearest.empty() ? "one of text, markdown, csv, latex, json" : "did you mean `" + nearest + "`?");
}

std::string rendered(const Sheet& sheet, Format format) {
  switch (format) {
    case Format::text:
      return as_text(sheet);
    case Format::markdown:
      return as_markdown(sheet);
    case Format::csv:
      return as_csv(sheet);
    case Format::latex:
      return as_latex(sheet);
    case Format::json:
      break;
  }
  throw ContractError("report", "a sheet is printed as words", "another format", "json");
}

std::string rendered(const store::QueryResult& result, Format format) {
  if (format == Format::json) {
    Json rows = Json::array();
    for (std::size_t r = 0; r < result.rows.size(); ++r) {
      Json object = Json::object();
      for (std::size_t c = 0; c < result.columns.size(); ++c) {
        const std::optional<std::string>& cell = result.rows[r][c];
        // JSON has no infinities: those stay words.
        const Json number =
            cell && result.is_number[r][c] ? Json::parse(*cell, nullptr, false) : Json(Json::value_t::discarded);
        object[result.columns[c]] = !number.is_discarded() ? number : cell ? Json(*cell) : Json(nullptr);
      }
      rows.push_back(std::move(object));
    }
    return rows.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
  }
  Sheet sheet;
  for (std::size_t c = 0; c < result.columns.size(); ++c) {
    bool is_number = !result.rows.empty();
    for (std::size_t r = 0; r < result.rows.size(); ++r) is_number &= !result.rows[r][c] || result.is_number[r][c];
    sheet.headings.push_back({result.columns[c], is_number});
  }
  for (const auto& row : result.rows) {
    auto& entries = sheet.rows.emplace_back();
    for (const auto& cell : row) entries.push_back({.lead = text(cell), .rest = {}, .marks = {}});
  }
  return rendered(sheet, format);
}

}  // namespace seedbed::report
