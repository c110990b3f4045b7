#include "run/progress.hpp"

#include <fmt/format.h>

#include "run/cost.hpp"

namespace seedbed::run {
namespace {

constexpr std::chrono::milliseconds kTerminalPeriod{100};
constexpr std::chrono::milliseconds kPlainPeriod{30'000};
constexpr std::size_t kTerminalColumns = 100;
constexpr const char* kEraseLine = "\r\033[2K";

}  // namespace

ProgressDisplay::ProgressDisplay(std::ostream& out, bool terminal, bool quiet)
    : out_(out), terminal_(terminal), quiet_(quiet) {}

ProgressDisplay::~ProgressDisplay() { erase_live_line(); }

void ProgressDisplay::erase_live_line() {
  if (live_line_) out_ << kEraseLine << std::flush;
  live_line_ = false;
}

void ProgressDisplay::line(const std::string& text) {
  if (quiet_) return;
  erase_live_line();
  out_ << text << '\n' << std::flush;
}

std::string ProgressDisplay::state_text(const RunState& state) const {
  const double elapsed = std::chrono::duration<double>(Clock::now() - started_).count();
  std::string text = fmt::format("[{}/{}] {}", state.stages_done, state.stages_total, clock_text(elapsed));
  if (state.seconds_left >= 0) text += fmt::format(", about {} left", clock_text(state.seconds_left));
  if (state.stages_failed > 0) text += fmt::format(", {} failed", state.stages_failed);
  for (const auto& [worker, what] : state.busy) text += " | " + what;
  return text;
}

void ProgressDisplay::update(const RunState& state) {
  const auto now = Clock::now();
  if (quiet_ || now - drawn_ < (terminal_ ? kTerminalPeriod : kPlainPeriod)) return;
  drawn_ = now;
  std::string text = state_text(state);
  if (!terminal_) {
    out_ << text << '\n' << std::flush;
    return;
  }
  if (text.size() > kTerminalColumns) text.resize(kTerminalColumns);
  out_ << kEraseLine << text << std::flush;
  live_line_ = true;
}

}  // namespace seedbed::run
