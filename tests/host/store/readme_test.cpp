#include <fstream>
#include <iterator>

#include <gtest/gtest.h>

#include "small_study.hpp"

// results/README.md promises what it says: its statements run, and it names every table, view and column of a view.
namespace seedbed::store::test {
namespace {

// Tests run in the root of the source tree.
std::string readme() {
  std::ifstream stream("results/README.md");
  return {std::istreambuf_iterator<char>(stream), {}};
}

std::vector<std::string> sql_blocks(const std::string& text) {
  std::vector<std::string> blocks;
  for (std::size_t at = text.find("```sql\n"); at != std::string::npos; at = text.find("```sql\n", at)) {
    at += 7;
    blocks.push_back(text.substr(at, text.find("```", at) - at));
  }
  return blocks;
}

class ResultsReadme : public testing::Test {
 protected:
  ResultsReadme() : text_(readme()) {
    fill(*Store::open(folder_.file(), Access::write));
    store_ = Store::open(folder_.file(), Access::read);
  }
  void SetUp() override { ASSERT_FALSE(text_.empty()); }

  TemporaryFolder folder_;
  std::string text_;
  std::unique_ptr<Store> store_;
};

TEST_F(ResultsReadme, EveryStatementAnswers) {
  const std::vector<std::string> blocks = sql_blocks(text_);
  EXPECT_GE(blocks.size(), 10u);
  for (const std::string& sql : blocks) {
    SCOPED_TRACE(sql);
    EXPECT_FALSE(store_->query(sql).rows.empty());
  }
}

TEST_F(ResultsReadme, NamesEveryTableAndView) {
  const QueryResult all =
      store_->query("SELECT name FROM sqlite_schema WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite%'");
  EXPECT_GT(all.rows.size(), 25u);
  for (const auto& row : all.rows) EXPECT_NE(text_.find("`" + *row[0] + "`"), std::string::npos) << *row[0];
}

TEST_F(ResultsReadme, NamesEveryColumnOfEveryView) {
  for (const auto& view : store_->query("SELECT name FROM sqlite_schema WHERE type = 'view'").rows) {
    const std::size_t begin = text_.find("| `" + *view[0] + "` |");
    ASSERT_NE(begin, std::string::npos) << *view[0];
    const std::string line = text_.substr(begin, text_.find('\n', begin) - begin);
    for (const std::string& column : store_->query("SELECT * FROM " + *view[0]).columns) {
      EXPECT_NE(line.find("`" + column + "`"), std::string::npos) << *view[0] << "." << column;
    }
  }
}

}  // namespace
}  // namespace seedbed::store::test
