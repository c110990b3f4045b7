#include "worker/log.hpp"

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

#include "seedbed/error.hpp"

namespace seedbed::worker {
namespace {

const char* name_of(LogLevel level) {
  switch (level) {
    case LogLevel::debug:
      return "debug";
    case LogLevel::info:
      return "info";
    case LogLevel::warning:
      return "warning";
  }
  return "";
}

}  // namespace

void write_log(LogLevel level, std::string_view message) {
  const auto now = std::chrono::system_clock::now();
  const std::time_t seconds = std::chrono::system_clock::to_time_t(now);
  const auto milliseconds =
      std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count() % 1000;
  std::tm parts{};
  ::localtime_r(&seconds, &parts);
  char time[32];
  std::strftime(time, sizeof time, "%F %T", &parts);
  // One call a line, so that lines of several threads do not mix.
  std::fprintf(stderr, "%s.%03d %s %.*s\n", time, static_cast<int>(milliseconds), name_of(level),
               static_cast<int>(message.size()), message.data());
}

LogRedirection::LogRedirection(const std::string& file) {
  if (file.empty()) return;
  std::error_code ignored;
  std::filesystem::create_directories(std::filesystem::path(file).parent_path(), ignored);
  const int descriptor = ::open(file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (descriptor < 0) {
    throw UserError(file, std::string("The log file cannot be opened: `") + std::strerror(errno) + "`.",
                    "check the permissions of the folder");
  }
  std::fflush(nullptr);
  old_output_ = ::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
  old_error_ = ::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
  ::dup2(descriptor, STDOUT_FILENO);
  ::dup2(descriptor, STDERR_FILENO);
  ::close(descriptor);
}

LogRedirection::~LogRedirection() {
  std::fflush(nullptr);
  for (const auto& [old, standard] : {std::pair(old_output_, STDOUT_FILENO), std::pair(old_error_, STDERR_FILENO)}) {
    if (old < 0) continue;
    ::dup2(old, standard);
    ::close(old);
  }
}

}  // namespace seedbed::worker
