#include <csignal>
#include <random>
#include <stdexcept>
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

// A child at work on a store. It says when it has begun; the rest is up to SIGKILL.
class Victim {
 public:
  template <typename Work>
  explicit Victim(const Work& work) {
    if (::pipe(begun_) != 0) throw std::runtime_error("no pipe");
    child_ = ::fork();
    if (child_ == 0) {
      work([this] { return ::write(begun_[1], "x", 1) == 1; });
      ::_exit(0);
    }
  }
  ~Victim() {
    ::kill(child_, SIGKILL);
    ::waitpid(child_, nullptr, 0);
    ::close(begun_[0]);
    ::close(begun_[1]);
  }
  Victim(const Victim&) = delete;
  Victim& operator=(const Victim&) = delete;

  void wait_until_begun() const {
    char byte = 0;
    if (::read(begun_[0], &byte, 1) != 1) throw std::runtime_error("the child never began");
  }

 private:
  int begun_[2] = {-1, -1};
  pid_t child_ = -1;
};

TEST(KilledWriter, LeavesAStoreThatOpensWhole) {
  const TemporaryFolder folder;
  const SmallStudy small = small_study();
  fill(*Store::open(folder.file(), Access::write));
  std::mt19937 random(20240611);
  std::uniform_int_distribution<int> microseconds(0, 20'000);
  for (int kill = 0; kill < 25; ++kill) {
    SCOPED_TRACE(kill);
    {
      const Victim victim([&](const auto& say_begun) {
        const auto store = Store::open(folder.file(), Access::write);
        say_begun();
        while (true) {
          store->record_study(small.study, small.stages);
          for (const StageRecord& stage : small.stages) finish(*store, stage.key);
        }
      });
      victim.wait_until_begun();
      std::this_thread::sleep_for(std::chrono::microseconds(microseconds(random)));
    }
    if (kill % 2 == 0) expect_whole(*Store::open(folder.file(), Access::read));
    const auto store = Store::open(folder.file(), Access::write);
    store->close_stale_attempts();
    expect_whole(*store);
    EXPECT_EQ(value(*store, "SELECT count(*) FROM attempts WHERE state = 'running'"), "0");
  }
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder.path())) names.push_back(entry.path().filename().string());
  EXPECT_EQ(names, std::vector<std::string>{"seedbed.db"});
}

TEST(KilledWriter, MayDieWhileItMakesTheStore) {
  std::mt19937 random(7);
  std::uniform_int_distribution<int> microseconds(0, 10'000);
  for (int kill = 0; kill < 20; ++kill) {
    SCOPED_TRACE(kill);
    const TemporaryFolder folder;
    {
      const Victim victim([&](const auto& say_begun) {
        if (say_begun()) fill(*Store::open(folder.file(), Access::write));
      });
      victim.wait_until_begun();
      std::this_thread::sleep_for(std::chrono::microseconds(microseconds(random)));
    }
    const auto store = Store::open(folder.file(), Access::write);
    fill(*store);
    expect_whole(*store);
  }
}

// Kills a writer in the middle of a transaction, when all before it is committed.
void kill_in_transaction(const fs::path& file) {
  const Victim victim([&](const auto& say_begun) {
    const auto store = Store::open(file, Access::write);
    fill(*store);
    store->together([&] {
      for (int i = 0; i < 50; ++i) finish(*store, "score-grid");
      if (say_begun()) ::pause();
    });
  });
  victim.wait_until_begun();
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
