#pragma once

#include <string>
#include <string_view>

#include "seedbed/run_context.hpp"

namespace seedbed::worker {

/// One line on standard error, with time and level. Threads: [any-thread].
void write_log(LogLevel level, std::string_view message);

/// Sends standard output and error to a file for the life of the object, so that a library's words and a crash's last
/// ones land in the attempt's log. "" leaves them where they are.
class LogRedirection {
 public:
  /// Throws: UserError where the file cannot be opened.
  explicit LogRedirection(const std::string& file);
  ~LogRedirection();
  LogRedirection(const LogRedirection&) = delete;
  LogRedirection& operator=(const LogRedirection&) = delete;

 private:
  int old_output_ = -1;
  int old_error_ = -1;
};

}  // namespace seedbed::worker
