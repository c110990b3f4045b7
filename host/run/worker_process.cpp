#include "run/worker_process.hpp"

#include <cerrno>
#include <csignal>
#include <cstring>
#include <string>
#include <system_error>

#include <fcntl.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "manifest/catalogue.hpp"
#include "seedbed/error.hpp"

extern char** environ;

namespace seedbed::run {
namespace fs = std::filesystem;
namespace {

class SpawnSettings {
 public:
  explicit SpawnSettings(int worker_end) {
    posix_spawn_file_actions_init(&actions_);
    posix_spawnattr_init(&attributes_);
    if (worker_end == protocol::kWorkerDescriptor) {
      // dup2 onto itself would leave close-on-exec set.
      ::fcntl(worker_end, F_SETFD, 0);
    } else {
      posix_spawn_file_actions_adddup2(&actions_, worker_end, protocol::kWorkerDescriptor);
    }
    posix_spawn_file_actions_addopen(&actions_, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    sigset_t none;
    sigemptyset(&none);
    posix_spawnattr_setsigmask(&attributes_, &none);
    posix_spawnattr_setpgroup(&attributes_, 0);
    posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK);
  }
  ~SpawnSettings() {
    posix_spawn_file_actions_destroy(&actions_);
    posix_spawnattr_destroy(&attributes_);
  }
  SpawnSettings(const SpawnSettings&) = delete;
  SpawnSettings& operator=(const SpawnSettings&) = delete;

  const posix_spawn_file_actions_t* actions() const { return &actions_; }
  const posix_spawnattr_t* attributes() const { return &attributes_; }

 private:
  posix_spawn_file_actions_t actions_;
  posix_spawnattr_t attributes_;
};

}  // namespace

WorkerProcess::WorkerProcess(const fs::path& program) {
  start(program);
  try {
    read_greeting(program);
  } catch (...) {
    // The destructor does not run for a half-made object.
    kill();
    wait();
    throw;
  }
}

void WorkerProcess::start(const fs::path& program) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
    throw std::system_error(errno, std::generic_category(), "making a worker's channel");
  }
  channel_ = std::make_unique<protocol::Channel>(ends[0]);
  const SpawnSettings settings(ends[1]);
  std::string path = program.string();
  char* arguments[] = {path.data(), nullptr};
  const int error = posix_spawn(&pid_, path.c_str(), settings.actions(), settings.attributes(), arguments, environ);
  ::close(ends[1]);
  if (error != 0) {
    throw UserError(path, std::string("The worker cannot be started: `") + std::strerror(error) + "`.",
                    "build it with `./dev build`, or install it beside `seedbed`");
  }
}

void WorkerProcess::read_greeting(const fs::path& program) {
  const auto greeting = channel_->receive();
  if (!greeting) {
    throw UserError(program.string(), "The worker ended before it said a word.",
                    "run it with --version by hand; a missing LibTorch is the usual reason");
  }
  const std::int64_t version = greeting->value("version", std::int64_t{-1});
  if (greeting->value("kind", "") != "hello" || version != protocol::kProtocolVersion) {
    throw ContractError(program.string(), "a worker greets in this program's protocol version",
                        std::to_string(protocol::kProtocolVersion), greeting->dump());
  }
  environment_ = greeting->value("environment", protocol::Json::object());
}

WorkerProcess::~WorkerProcess() {
  if (end_) return;
  try {
    channel_->send({{"kind", "leave"}});
  } catch (const std::system_error&) {
    // It is gone already; waiting below reaps it.
  }
  channel_.reset();
  wait();
}

ProcessEnd WorkerProcess::wait() {
  if (end_) return *end_;
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  end_ = ProcessEnd{WIFEXITED(status) ? WEXITSTATUS(status) : 0, WIFSIGNALED(status) ? WTERMSIG(status) : 0};
  return *end_;
}

void WorkerProcess::kill() {
  if (!end_) ::kill(pid_, SIGKILL);
}

fs::path worker_program() {
  const fs::path program = manifest::this_executable().parent_path() / "seedbed-worker";
  if (!fs::exists(program)) {
    throw UserError(program.string(), "The worker program is missing.", "build it with `./dev build`");
  }
  return program;
}

}  // namespace seedbed::run
