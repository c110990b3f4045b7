#pragma once

#include <memory>
#include <string>
#include <vector>

namespace seedbed::plugin {

/// Remembers the process-wide state that plugins must leave alone: gradient mode, default type, threads, precision and
/// determinism flags, floating-point mode, locale, directory, umask, signal handlers; puts it back at the latest when
/// the scope ends. Random generators are RandomScope's (host/fit). Threads: the guard is made and ended on one thread.
class StateGuard {
 public:
  StateGuard();
  ~StateGuard();
  StateGuard(const StateGuard&) = delete;
  StateGuard& operator=(const StateGuard&) = delete;

  /// Puts everything back now. Returns what had changed, in words: "the locale was `C`, then `de_DE`".
  std::vector<std::string> restore();

 private:
  struct State;
  std::unique_ptr<State> before_;
};

}  // namespace seedbed::plugin
