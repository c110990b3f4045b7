#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>
#include <string_view>

#include <fcntl.h>

#include "protocol/channel.hpp"
#include "seedbed/error.hpp"
#include "stages/failure.hpp"
#include "worker/attempt.hpp"
#include "worker/environment.hpp"
#include "worker/process_setup.hpp"
#include "worker/worker_loop.hpp"

namespace seedbed::worker {
namespace {

using protocol::Json;

constexpr int kUserErrorStatus = 2;
constexpr int kFailedStatus = 3;

int usage() {
  std::cerr << "seedbed-worker is started by `seedbed`. By hand: seedbed-worker --version | --group REQUEST.json\n";
  return kUserErrorStatus;
}

int print_version() {
  std::cout << Json{{"protocol", protocol::kProtocolVersion}, {"environment", environment()}}.dump(1) << "\n";
  return 0;
}

// For debuggers: one group in this process, its results on standard output.
int run_group_file(const std::string& file) {
  std::ifstream stream(file);
  if (!stream) throw UserError(file, "The request cannot be opened.", "a GroupRequest as JSON");
  const std::string text{std::istreambuf_iterator<char>(stream), {}};
  const auto request = Json::parse(text).get<protocol::GroupRequest>();
  bool failed = false;
  const Send print = [&](const Json& message) {
    const std::string kind = message.value("kind", "");
    if (kind == "progress") return;
    if (kind == "failed") failed = true;
    if (message.contains("result") && message.at("result").at("state") != "done") failed = true;
    std::cout << message.dump(1) << "\n";
  };
  stages::Session session;
  const std::atomic<bool> never_cancelled{false};
  run_attempt(request, session, print, never_cancelled);
  return failed ? kFailedStatus : 0;
}

int run(int argc, char** argv) {
  const std::string_view argument = argc > 1 ? argv[1] : "";
  if (argument == "--version") return print_version();
  if (argument == "--group" && argc == 3) return run_group_file(argv[2]);
  if (argc > 1 || ::fcntl(protocol::kWorkerDescriptor, F_GETFD) < 0) return usage();
  ::fcntl(protocol::kWorkerDescriptor, F_SETFD, FD_CLOEXEC);
  return serve();
}

}  // namespace
}  // namespace seedbed::worker

int main(int argc, char** argv) {
  using namespace seedbed;
  const bool is_served = argc == 1 && ::fcntl(protocol::kWorkerDescriptor, F_GETFD) >= 0;
  if (is_served && !worker::die_with_parent(protocol::kWorkerDescriptor)) worker::leave(1);
  ::setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8", /*overwrite=*/0);  // without it cuBLAS is not deterministic
  worker::keep_freed_memory();
  worker::set_threads(1);
  int status = 1;
  try {
    status = worker::run(argc, argv);
  } catch (...) {
    const stages::Failure failure = stages::describe_failure(std::current_exception(), "seedbed-worker");
    std::cerr << failure.message << (failure.hint.empty() ? "" : " (" + failure.hint + ")") << "\n";
    status = 2;
  }
  std::cout.flush();
  worker::leave(status);
}
