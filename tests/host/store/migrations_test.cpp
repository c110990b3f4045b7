#include "store/migrations.hpp"

#include <array>

#include <gtest/gtest.h>

#include "expect_error.hpp"
#include "small_study.hpp"

namespace seedbed::store::test {
namespace {
using testing::HasSubstr;

constexpr std::array kTwo{Migration{1, "0001_first", "CREATE TABLE a (x INTEGER); INSERT INTO a VALUES (1);"},
                          Migration{2, "0002_second", "ALTER TABLE a ADD COLUMN y INTEGER; UPDATE a SET y = x + 1;"}};
constexpr std::array kBroken{kTwo[0], Migration{2, "0002_broken", "UPDATE a SET x = 7; CREATE TABLE a (x);"}};

TEST(Migrations, AreNumberedWithoutGaps) {
  std::int64_t expected = 0;
  for (const Migration& migration : all_migrations()) {
    EXPECT_EQ(migration.version, ++expected);
    EXPECT_EQ(migration.name.substr(0, 4), "000" + std::to_string(expected));
    EXPECT_FALSE(migration.sql.empty());
  }
  EXPECT_GE(expected, 1);
}

TEST(Migrations, BringAnEmptyFileToTheNewestVersion) {
  const TemporaryFolder folder;
  Connection connection(folder.file(), OpenMode::create);
  migrate(connection, kTwo);
  EXPECT_EQ(connection.integer("PRAGMA user_version"), 2);
  EXPECT_EQ(connection.integer("PRAGMA application_id"), kApplicationId);
  EXPECT_EQ(connection.integer("SELECT y FROM a"), 2);
}

TEST(Migrations, RunOnlyWhatIsMissingAndKeepTheRows) {
  const TemporaryFolder folder;
  Connection connection(folder.file(), OpenMode::create);
  migrate(connection, std::span(kTwo).first(1));
  connection.run("UPDATE a SET x = 41");
  migrate(connection, kTwo);
  migrate(connection, kTwo);
  EXPECT_EQ(connection.integer("SELECT y FROM a"), 42);
}

TEST(Migrations, FailedStepLeavesTheVersionBefore) {
  const TemporaryFolder folder;
  Connection connection(folder.file(), OpenMode::create);
  EXPECT_THAT(contract_error([&] { migrate(connection, kBroken); }), HasSubstr("already exists"));
  EXPECT_EQ(connection.integer("PRAGMA user_version"), 1);
  EXPECT_EQ(connection.integer("SELECT x FROM a"), 1);
  migrate(connection, kTwo);
  EXPECT_EQ(connection.integer("SELECT y FROM a"), 2);
}

TEST(Migrations, RefuseWhatTheyDoNotKnow) {
  const TemporaryFolder folder;
  Connection connection(folder.file(), OpenMode::create);
  migrate(connection, kTwo);
  EXPECT_THAT(user_error([&] { checked_version(connection, std::span(kTwo).first(1)); }), HasSubstr("newer Seedbed"));
  connection.execute("PRAGMA application_id = 7");
  EXPECT_THAT(user_error([&] { migrate(connection, kTwo); }), HasSubstr("another program's"));
}

TEST(Connection, NestedTransactionRollsBackAlone) {
  const TemporaryFolder folder;
  Connection connection(folder.file(), OpenMode::create);
  connection.execute("CREATE TABLE a (x INTEGER)");
  Transaction outer(connection);
  connection.run("INSERT INTO a VALUES (1)");
  {
    const Transaction inner(connection);
    connection.run("INSERT INTO a VALUES (2)");
  }
  outer.commit();
  EXPECT_EQ(connection.integer("SELECT sum(x) FROM a"), 1);
  EXPECT_FALSE(connection.in_transaction());
}

TEST(Connection, NeedsAFileToReadOrWrite) {
  const TemporaryFolder folder;
  EXPECT_THAT(user_error([&] { const Connection connection(folder.file(), OpenMode::read); }),
              HasSubstr("cannot be opened"));
}

TEST(Connection, LockedStoreSaysSo) {
  const TemporaryFolder folder;
  Connection first(folder.file(), OpenMode::create);
  Connection second(folder.file(), OpenMode::write);
  first.execute("CREATE TABLE a (x INTEGER)");
  const Transaction holding(first);
  second.execute("PRAGMA busy_timeout = 1");
  EXPECT_THAT(user_error([&] { const Transaction waiting(second); }),
              HasSubstr("Another program keeps the store locked"));
}

TEST(Connection, FullDiskSaysSo) {
  const TemporaryFolder folder;
  Connection connection(folder.file(), OpenMode::create);
  connection.execute("CREATE TABLE a (x BLOB); PRAGMA max_page_count = 4;");
  Transaction transaction(connection);
  EXPECT_THAT(user_error([&] { connection.run("INSERT INTO a VALUES (zeroblob(100000))"); }),
              HasSubstr("The disk is full"));
}

TEST(Connection, MoreValuesThanPlacesAreABug) {
  const TemporaryFolder folder;
  Connection connection(folder.file(), OpenMode::create);
  EXPECT_NE(contract_error([&] { connection.integer("SELECT ?", {std::int64_t{1}, std::int64_t{2}}); }), "");
}

}  // namespace
}  // namespace seedbed::store::test
