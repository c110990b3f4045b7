#include <cerrno>
#include <chrono>
#include <csignal>
#include <random>
#include <set>
#include <thread>

#include <sys/prctl.h>
#include <sys/wait.h>

#include <gtest/gtest.h>

#include "program_run.hpp"
#include "small_study.hpp"

namespace seedbed::testing {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;

const std::string kMetrics =
    "SELECT s.key, m.name, m.class_name, m.target, m.rule, printf('%.17g', m.value) "
    "FROM metrics m JOIN attempts a ON a.id = m.attempt_id JOIN stages s ON s.id = a.stage_id ORDER BY 1, 2, 3, 4, 5";
// Far more than the kernel needs to deliver a signal, or a worker that is still being loaded to find itself alone.
constexpr milliseconds kPatience{30'000};

// Reaps an orphan of this process once it has ended.
bool is_gone(pid_t orphan) {
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (std::chrono::steady_clock::now() < deadline) {
    const pid_t ended = ::waitpid(orphan, nullptr, WNOHANG);
    if (ended == orphan || (ended < 0 && errno == ECHILD)) return true;
    std::this_thread::sleep_for(milliseconds(20));
  }
  return false;
}

// A stage with two attempts that ended well was computed twice.
const std::string kRepeated =
    "SELECT stage_id FROM attempts WHERE state = 'done' GROUP BY stage_id HAVING count(*) > 1";

class Kill : public ::testing::Test {
 protected:
  // Orphaned workers become children of this process: where nobody else reaps them they would stay in the process table.
  Kill() {
    ::prctl(PR_SET_CHILD_SUBREAPER, 1);
    folder_.write("study.toml", small_study());
  }

  std::vector<std::string> arguments(const std::string& store) const {
    return {"run", "study.toml", "--store", store, "--quiet"};
  }

  // Ends well, whatever happened before.
  void complete(const std::string& store) const {
    const ProgramEnd end = seedbed(arguments(store), folder_.path());
    ASSERT_EQ(end.status, 0) << end.out << end.err;
  }

  void expect_like_undisturbed(const std::string& store) const {
    complete("undisturbed.db");
    EXPECT_EQ(sql(folder_.path() / store, kMetrics), sql(folder_.path() / "undisturbed.db", kMetrics));
  }

  // Waits until a worker computes: what it is at lies beside its log.
  bool begins_to_compute() const {
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    while (std::chrono::steady_clock::now() < deadline) {
      std::error_code vanished;
      for (fs::recursive_directory_iterator entry(folder_.path(), vanished), end; !vanished && entry != end;
           entry.increment(vanished)) {
        if (entry->path().extension() == ".working") return true;
      }
      std::this_thread::sleep_for(milliseconds(10));
    }
    return false;
  }

  const ScratchFolder folder_;
};

TEST_F(Kill, ASupervisorKilledAtAnyMomentLosesNothingThatWasFinished) {
  std::mt19937 random(20240611);
  std::uniform_int_distribution<int> wait_ms(50, 2500);
  int kills = 0;
  for (int round = 0; round < 12; ++round) {
    RunningProgram program(seedbed_program(), arguments("a.db"), folder_.path());
    std::this_thread::sleep_for(milliseconds(wait_ms(random)));
    if (program.is_over()) break;
    const std::vector<pid_t> workers = children_of(program.pid());
    program.signal(SIGKILL);
    program.wait();
    ++kills;
    if (fs::exists(folder_.path() / "a.db")) {
      EXPECT_EQ(sql(folder_.path() / "a.db", "SELECT count(*) FROM studies").size(), 1u);  // it opens and answers
    }
    for (const pid_t worker : workers) EXPECT_TRUE(is_gone(worker)) << "a worker outlived its supervisor";
  }
  EXPECT_GT(kills, 0);
  complete("a.db");
  EXPECT_TRUE(sql(folder_.path() / "a.db", kRepeated).empty());
  expect_like_undisturbed("a.db");
}

TEST_F(Kill, AKilledWorkerCostsItsStagesAndTheNextRunCompletes) {
  RunningProgram program(seedbed_program(), arguments("a.db"), folder_.path());
  ASSERT_TRUE(begins_to_compute()) << "no worker began";
  const std::vector<pid_t> workers = children_of(program.pid());
  ASSERT_FALSE(workers.empty());
  ::kill(workers.front(), SIGKILL);
  const ProgramEnd end = program.wait();
  EXPECT_EQ(end.status, 3) << end.out << end.err;
  EXPECT_NE(end.out.find("signal `9`"), std::string::npos) << end.out << end.err;
  complete("a.db");
  EXPECT_TRUE(sql(folder_.path() / "a.db", kRepeated).empty());
  EXPECT_NE(sql(folder_.path() / "a.db", "SELECT count(*) FROM attempts WHERE exit_signal = 9")[0][0], "0");
  expect_like_undisturbed("a.db");
}

TEST_F(Kill, AnInterruptEndsAtASafePlaceAndTheNextRunGoesOn) {
  RunningProgram program(seedbed_program(), arguments("a.db"), folder_.path());
  std::this_thread::sleep_for(milliseconds(2500));
  program.signal(SIGINT);
  const ProgramEnd end = program.wait();
  EXPECT_EQ(end.status, 130) << end.out << end.err;
  EXPECT_FALSE(fs::exists(folder_.path() / "a.db-wal"));
  complete("a.db");
  EXPECT_TRUE(sql(folder_.path() / "a.db", kRepeated).empty());
  expect_like_undisturbed("a.db");
}

}  // namespace
}  // namespace seedbed::testing
