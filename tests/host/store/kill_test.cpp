#include <csignal>
#include <random>
#include <thread>

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "small_study.hpp"

namespace seedbed::store::test {
namespace {
namespace fs = std::filesystem;

std::string value(const Store& store, const std::string& sql) {
  return store.query(sql).rows.at(0).at(0).value_or("NULL");
}

// A result is there whole or not at all: every done score has its four numbers, its curve and its ledger.
void expect_whole(Store& store) {
  EXPECT_EQ(value(store,
                  "SELECT count(*) FROM attempts a JOIN stages s ON s.id = a.stage_id WHERE s.type = 'score' AND "
                  "a.state = 'done' AND ((SELECT count(*) FROM metrics m WHERE m.attempt_id = a.id) <> 4 OR "
                  "(SELECT count(*) FROM curves c WHERE c.attempt_id = a.id) <> 1 OR "
                  "(SELECT count(*) FROM ledger l WHERE l.attempt_id = a.id) <> 1)"),
            "0");
  EXPECT_EQ(value(store, "SELECT count(*) FROM attempts WHERE state = 'done' AND has_result = 0"), "0");
}

// Runs `work` in a child and kills that after `patience`.
template <typename Work>
void run_and_kill(const Work& work, std::chrono::microseconds patience) {
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    work();
    ::_exit(0);
  }
  std::this_thread::sleep_for(patience);
  ::kill(child, SIGKILL);
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
}

TEST(KilledWriter, LeavesAStoreThatOpensWhole) {
  const TemporaryFolder folder;
  const SmallStudy small = small_study();
  std::mt19937 random(20240611);
  std::uniform_int_distribution<int> microseconds(0, 40'000);
  for (int kill = 0; kill < 25; ++kill) {
    SCOPED_TRACE(kill);
    run_and_kill(
        [&] {
          const auto store = Store::open(folder.file(), Access::write);
          while (true) {
            store->record_study(small.study, small.stages);
            for (const StageRecord& stage : small.stages) finish(*store, stage.key);
          }
        },
        std::chrono::microseconds(microseconds(random)));
    if (kill % 2 == 0 && fs::exists(folder.file()) && fs::file_size(folder.file()) > 0) {
      expect_whole(*Store::open(folder.file(), Access::read));
    }
    const auto store = Store::open(folder.file(), Access::write);
    store->close_stale_attempts();
    expect_whole(*store);
    EXPECT_EQ(value(*store, "SELECT count(*) FROM attempts WHERE state = 'running'"), "0");
  }
  EXPECT_NE(value(*Store::open(folder.file(), Access::read), "SELECT count(*) FROM v_attempts WHERE state = 'done'"),
            "0");
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder.path())) names.push_back(entry.path().filename().string());
  EXPECT_EQ(names, std::vector<std::string>{"seedbed.db"});
}

// Kills a writer in the middle of a transaction, after it has said so.
void kill_in_transaction(const fs::path& file) {
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const auto store = Store::open(file, Access::write);
    fill(*store);
    store->together([&] {
      for (int i = 0; i < 50; ++i) finish(*store, "score-grid");
      if (::write(ready[1], "x", 1) == 1) ::pause();
    });
    ::_exit(0);
  }
  char byte = 0;
  ASSERT_EQ(::read(ready[0], &byte, 1), 1);
  ::kill(child, SIGKILL);
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ::close(ready[0]);
  ::close(ready[1]);
}

TEST(KilledWriter, LosesOnlyTheTransactionItWasIn) {
  const TemporaryFolder folder;
  kill_in_transaction(folder.file());
  const auto store = Store::open(folder.file(), Access::write);
  EXPECT_EQ(value(*store, "SELECT count(*) FROM v_cells WHERE state = 'done'"), "12");
  EXPECT_EQ(
      value(*store, "SELECT count(*) FROM attempts a JOIN stages s ON s.id = a.stage_id WHERE s.key = 'score-grid'"),
      "1");
}

TEST(KilledWriter, ReaderAloneTakesTheJournalBack) {
  const TemporaryFolder folder;
  kill_in_transaction(folder.file());
  ASSERT_TRUE(fs::exists(folder.file("seedbed.db-wal")));
  const auto reader = Store::open(folder.file(), Access::read);
  EXPECT_EQ(value(*reader, "SELECT count(*) FROM v_cells WHERE state = 'done'"), "12");
}

TEST(KilledWriter, DatabaseFileCopiedAloneOpens) {
  const TemporaryFolder folder;
  kill_in_transaction(folder.file());
  const TemporaryFolder other;
  // What was in the journal only is lost with it; the file must open all the same, or say that it holds nothing.
  fs::copy(folder.file(), other.file());
  const auto store = Store::open(other.file(), Access::write);
  expect_whole(*store);
}

}  // namespace
}  // namespace seedbed::store::test
