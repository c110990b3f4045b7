#include "report/sheet.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "expect_error.hpp"
#include "small_study.hpp"

namespace seedbed::report::test {
namespace {
using store::test::contract_error;
using store::test::user_error;
using testing::AllOf;
using testing::HasSubstr;

Sheet two_rows() {
  Sheet sheet;
  sheet.title = "Title";
  sheet.headings = {{"name"}, {"upper\nlower", true}};
  sheet.rows = {{{"a|b_c", {}, {}}, {"9.50", " ± 0.10 (3)", {"†", "a"}, 1}},
                {{"naïve", {}, {"b"}}, {"10.25", " (1)", {}, 2}}};
  sheet.notes = {{"†", "oracle"}, {"a", "first & 50%"}, {"", "all"}};
  return sheet;
}

TEST(Format, NamesAreKnown) {
  EXPECT_EQ(format_from("text"), Format::text);
  EXPECT_EQ(format_from("markdown"), Format::markdown);
  EXPECT_EQ(format_from("csv"), Format::csv);
  EXPECT_EQ(format_from("latex"), Format::latex);
  EXPECT_EQ(format_from("json"), Format::json);
  EXPECT_THAT(user_error([] { format_from("latx"); }), AllOf(HasSubstr("`latx`"), HasSubstr("did you mean `latex`?")));
  EXPECT_THAT(user_error([] { format_from("spreadsheet"); }), HasSubstr("one of text, markdown, csv, latex, json"));
}

TEST(Sheet, Text) {
  EXPECT_EQ(rendered(two_rows(), Format::text),
            "Title\n"
            "\n"
            "           upper\n"
            "name       lower\n"
            "─────────  ─────────────────────\n"
            "a|b_c       9.50 ± 0.10 (3) †[a]\n"
            "naïve [b]  10.25 (1)\n"
            "\n"
            "† oracle\n"
            "[a] first & 50%\n"
            "all\n");
}

TEST(Sheet, Markdown) {
  EXPECT_EQ(rendered(two_rows(), Format::markdown),
            "**Title**\n\n"
            "| name | upper lower |\n"
            "| --- | ---: |\n"
            "| a\\|b_c | **9.50** ± 0.10 (3)<sup>†,a</sup> |\n"
            "| naïve<sup>b</sup> | <u>10.25</u> (1) |\n"
            "\n<sup>†</sup> oracle\n"
            "\n<sup>a</sup> first & 50%\n"
            "\nall\n");
}

TEST(Sheet, Latex) {
  EXPECT_EQ(rendered(two_rows(), Format::latex),
            "% Title\n% needs \\usepackage{booktabs}\n"
            "\\begin{tabular}{lr}\n\\toprule\nname & upper lower \\\\\n\\midrule\n"
            "a|b\\_c & \\textbf{9.50} $\\pm$ 0.10 (3)\\textsuperscript{$\\dagger$,a} \\\\\n"
            "naïve\\textsuperscript{b} & \\underline{10.25} (1) \\\\\n"
            "\\bottomrule\n\\end{tabular}\n"
            "\\par\\footnotesize \\textsuperscript{$\\dagger$}~oracle\n"
            "\\par\\footnotesize \\textsuperscript{a}~first \\& 50\\%\n"
            "\\par\\footnotesize all\n");
}

TEST(Sheet, CsvHasNoTitleNotesOrMarks) {
  Sheet sheet = two_rows();
  sheet.rows[0][0].lead = "a,\"b\"";
  EXPECT_EQ(rendered(sheet, Format::csv), "name,upper lower\n\"a,\"\"b\"\"\",9.50 ± 0.10 (3)\nnaïve,10.25 (1)\n");
}

TEST(Sheet, WhatSteersATerminalIsBlanked) {
  Sheet sheet;
  sheet.headings = {{"message"}};
  sheet.rows = {{{"\x1b[31mred\nline\x7f", {}, {}}}};
  for (const Format format : {Format::text, Format::markdown, Format::latex}) {
    const std::string text = rendered(sheet, format);
    EXPECT_EQ(text.find('\x1b'), std::string::npos);
    EXPECT_EQ(text.find('\x7f'), std::string::npos);
    EXPECT_NE(text.find("red line"), std::string::npos);
  }
}

TEST(Sheet, LatexEscapesWhatItMust) {
  Sheet sheet;
  sheet.headings = {{"x"}};
  sheet.rows = {{{"\\ & % $ # _ { } ~ ^ < > – ‡ §", {}, {}}}};
  EXPECT_THAT(
      rendered(sheet, Format::latex),
      HasSubstr("\\textbackslash{} \\& \\% \\$ \\# \\_ \\{ \\} \\textasciitilde{} \\textasciicircum{} $<$ $>$ -- "
                "$\\ddagger$ \\S{} \\\\"));
}

TEST(Sheet, EmptyOnesPrint) {
  for (const Format format : {Format::text, Format::markdown, Format::csv, Format::latex}) {
    EXPECT_FALSE(rendered(Sheet{"", {{"only"}}, {}, {}}, format).empty());
  }
}

TEST(Sheet, HoldsNoValuesForJson) {
  EXPECT_THAT(contract_error([] { rendered(two_rows(), Format::json); }), HasSubstr("words"));
}

class QueryTable : public testing::Test {
 protected:
  QueryTable() : store_(store::Store::open(folder_.file(), store::Access::write)) {}
  store::QueryResult query(const std::string& sql) { return store_->query(sql); }

  store::test::TemporaryFolder folder_;
  std::unique_ptr<store::Store> store_;
};

TEST_F(QueryTable, JsonKeepsTypes) {
  const Json json = Json::parse(
      rendered(query("SELECT 1 AS a, 0.1 + 0.2 AS b, NULL AS c, '7' AS d, 9e999 AS e, x'ff' AS f"), Format::json));
  EXPECT_EQ(json, Json::parse(R"([{"a": 1, "b": 0.30000000000000004, "c": null, "d": "7", "e": "inf", "f": "ff"}])"));
  EXPECT_EQ(Json::parse(rendered(query("SELECT 1 WHERE 0"), Format::json)), Json::array());
}

TEST_F(QueryTable, TextSetsNumbersFlushRight) {
  EXPECT_EQ(rendered(query("SELECT 'x' AS name, 7 AS number UNION ALL SELECT 'y', 1234 UNION ALL SELECT NULL, NULL"),
                     Format::text),
            "name  number\n────  ──────\nx        7\ny     1234\n\n");
}

TEST_F(QueryTable, Csv) { EXPECT_EQ(rendered(query("SELECT 1 AS a, 'b,c' AS d"), Format::csv), "a,d\n1,\"b,c\"\n"); }

}  // namespace
}  // namespace seedbed::report::test
