#pragma once

#include <filesystem>
#include <memory>
#include <optional>

#include <sys/types.h>

#include "protocol/channel.hpp"

namespace seedbed::run {

/// How a process ended.
struct ProcessEnd {
  int exit_status = 0;
  int signal = 0;  ///< 0 = it ended by itself
};

/// One `seedbed-worker`: a fresh program (never a fork without exec) with a socket pair on descriptor 3, in a process
/// group of its own so that Ctrl-C reaches it only through the supervisor.
///
/// The worker asks the kernel to be killed with its parent, and that signal follows the parent's *thread*: make and
/// destroy workers on the main thread.
class WorkerProcess {
 public:
  /// Starts the program and reads its greeting. Throws: UserError where it cannot be started; ContractError where it
  /// speaks another protocol version.
  explicit WorkerProcess(const std::filesystem::path& program);
  ~WorkerProcess();  ///< asks it to leave; kills it if it does not
  WorkerProcess(const WorkerProcess&) = delete;
  WorkerProcess& operator=(const WorkerProcess&) = delete;

  protocol::Channel& channel() { return *channel_; }
  pid_t pid() const { return pid_; }
  const protocol::Json& environment() const { return environment_; }

  /// Waits for its end after the channel closed.
  ProcessEnd wait();
  void kill();

 private:
  void start(const std::filesystem::path& program);
  void read_greeting(const std::filesystem::path& program);

  pid_t pid_ = -1;
  std::optional<ProcessEnd> end_;
  std::unique_ptr<protocol::Channel> channel_;
  protocol::Json environment_;
};

/// `seedbed-worker` beside the running program. Throws: UserError where there is none.
std::filesystem::path worker_program();

}  // namespace seedbed::run
