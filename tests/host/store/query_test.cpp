#include <gtest/gtest.h>

#include "expect_error.hpp"
#include "small_study.hpp"

namespace seedbed::store::test {
namespace {
using testing::HasSubstr;

class Query : public testing::TestWithParam<Access> {
 protected:
  Query() {
    {
      const auto writer = Store::open(folder_.file(), Access::write);
      fill(*writer);
    }
    store_ = Store::open(folder_.file(), GetParam());
  }

  std::string error(const std::string& sql, const std::vector<std::string>& values = {}) {
    return user_error([&] { store_->query(sql, values); });
  }

  TemporaryFolder folder_;
  std::unique_ptr<Store> store_;
};

TEST_P(Query, GivesColumnsAndRows) {
  const QueryResult result = store_->query("SELECT 1 AS a, NULL AS b, 'x' AS c, 0.1 AS d, x'00ff' AS e;");
  EXPECT_EQ(result.columns, (std::vector<std::string>{"a", "b", "c", "d", "e"}));
  ASSERT_EQ(result.rows.size(), 1u);
  EXPECT_EQ(result.rows[0], (std::vector<std::optional<std::string>>{"1", std::nullopt, "x", "0.1", "00ff"}));
  EXPECT_EQ(result.is_number[0], (std::vector<bool>{true, false, false, true, false}));
}

TEST_P(Query, NumbersHaveAllTheirDigits) {
  EXPECT_EQ(store_->query("SELECT 0.1 + 0.2").rows[0][0], "0.30000000000000004");
}

TEST_P(Query, BindsValues) {
  EXPECT_EQ(store_->query("SELECT count(*) FROM stages WHERE key = ?", {"fit-cam-0"}).rows[0][0], "1");
  EXPECT_EQ(store_->query("SELECT count(*) FROM stages WHERE key = ?", {"' OR 1 --"}).rows[0][0], "0");
  EXPECT_THAT(error("SELECT ?"), HasSubstr("`1` places for values, and `0` were given"));
  EXPECT_THAT(error("SELECT 1", {"x"}), HasSubstr("`0` places"));
}

TEST_P(Query, DescribesTables) {
  EXPECT_FALSE(store_->query("PRAGMA table_info(cells)").rows.empty());
  EXPECT_FALSE(store_->query("SELECT name FROM sqlite_schema WHERE type = 'view'").rows.empty());
  EXPECT_FALSE(store_->query("EXPLAIN QUERY PLAN SELECT * FROM v_metrics").rows.empty());
}

TEST_P(Query, RefusesEverythingThatWrites) {
  for (const char* sql :
       {"DELETE FROM cells", "UPDATE cells SET point = 9", "INSERT INTO datasets VALUES (1, 'a', 'b', 'c')",
        "DROP TABLE cells", "CREATE TABLE t (x)", "CREATE TEMP TABLE t (x)", "ALTER TABLE cells RENAME TO c",
        "ATTACH 'other.db' AS other", "VACUUM", "VACUUM INTO 'copy.db'", "BEGIN", "COMMIT", "PRAGMA user_version = 5",
        "PRAGMA journal_mode = OFF", "PRAGMA writable_schema = ON", "PRAGMA query_only = OFF", "REINDEX", "ANALYZE",
        "WITH x AS (SELECT 1) DELETE FROM cells"}) {
    EXPECT_THAT(error(sql), HasSubstr("would do more than read")) << sql;
  }
  EXPECT_EQ(store_->query("SELECT count(*) FROM cells").rows[0][0], "12");
  EXPECT_EQ(store_->query("PRAGMA user_version").rows[0][0], "2");
}

TEST_P(Query, SaysWhatIsWrong) {
  EXPECT_THAT(error("SELEC 1"), HasSubstr("syntax error"));
  EXPECT_THAT(error("SELECT * FROM zilch"), testing::AllOf(HasSubstr("no such table: zilch"), HasSubstr("README")));
  EXPECT_THAT(error("SELECT load_extension('x')"), HasSubstr("not authorized"));
  EXPECT_THAT(error(""), HasSubstr("empty"));
  EXPECT_THAT(error("-- only a remark"), HasSubstr("empty"));
  EXPECT_THAT(error("SELECT 1; SELECT 2"), HasSubstr("more than one statement"));
  EXPECT_THAT(error("SELECT abs(-9223372036854775808)"), HasSubstr("The statement failed: `integer overflow`"));
}

INSTANTIATE_TEST_SUITE_P(ReaderAndWriter, Query, testing::Values(Access::read, Access::write),
                         [](const auto& access) { return access.param == Access::read ? "Reader" : "Writer"; });

TEST(QueryOfAWriter, DoesNotDisturbItsWork) {
  const TemporaryFolder folder;
  const auto store = Store::open(folder.file(), Access::write);
  fill(*store);
  EXPECT_THAT(user_error([&] { store->query("DELETE FROM cells"); }), HasSubstr("more than read"));
  finish(*store, "score-grid");
  EXPECT_EQ(
      store->query("SELECT count(*) FROM attempts WHERE stage_id = (SELECT id FROM stages WHERE key = 'score-grid')")
          .rows[0][0],
      "2");
}

}  // namespace
}  // namespace seedbed::store::test
