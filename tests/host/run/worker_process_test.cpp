#include "run/worker_process.hpp"

#include <csignal>
#include <cstdlib>

#include <gtest/gtest.h>

#include "seedbed/error.hpp"

namespace seedbed::run {
namespace {

class Greeting {
 public:
  explicit Greeting(const char* value) { ::setenv("STAND_IN_GREETING", value, 1); }
  ~Greeting() { ::unsetenv("STAND_IN_GREETING"); }
};

TEST(WorkerProcess, GreetsAndLeavesWhenAsked) {
  pid_t pid = -1;
  {
    WorkerProcess worker(SEEDBED_STAND_IN_WORKER);
    pid = worker.pid();
    EXPECT_EQ(::kill(pid, 0), 0);
  }
  EXPECT_NE(::kill(pid, 0), 0);
}

TEST(WorkerProcess, TellsHowItEnded) {
  WorkerProcess worker(SEEDBED_STAND_IN_WORKER);
  worker.kill();
  EXPECT_EQ(worker.wait().signal, SIGKILL);
}

TEST(WorkerProcess, AMissingProgramIsTheUsersToMend) {
  EXPECT_THROW(WorkerProcess("/nowhere/seedbed-worker"), UserError);
}

TEST(WorkerProcess, ASilentEndIsTheUsersToMend) {
  const Greeting greeting("none");
  EXPECT_THROW(WorkerProcess(SEEDBED_STAND_IN_WORKER), UserError);
}

TEST(WorkerProcess, AnotherProtocolVersionIsRefused) {
  const Greeting greeting("newer");
  EXPECT_THROW(WorkerProcess(SEEDBED_STAND_IN_WORKER), ContractError);
}

}  // namespace
}  // namespace seedbed::run
