#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <ostream>
#include <string>

namespace seedbed::run {

/// What a run looks like from outside at one moment.
struct RunState {
  std::size_t stages_done = 0;  ///< in this run
  std::size_t stages_total = 0;
  std::size_t stages_failed = 0;
  double seconds_left = 0;          ///< estimate; negative while unknown
  std::map<int, std::string> busy;  ///< worker -> "fit seed_generator on train 37 %"
};

/// Shows progress: one line that is redrawn on a terminal, plain lines otherwise (one when a group starts or ends, and
/// one every half minute).
class ProgressDisplay {
 public:
  ProgressDisplay(std::ostream& out, bool terminal, bool quiet);
  ~ProgressDisplay();

  /// A line that stays: started, finished, failed.
  void line(const std::string& text);

  /// The current state; drawn at most ten times a second (terminal) or twice a minute (plain).
  void update(const RunState& state);

 private:
  using Clock = std::chrono::steady_clock;

  void erase_live_line();
  std::string state_text(const RunState& state) const;

  std::ostream& out_;
  const bool terminal_;
  const bool quiet_;
  bool live_line_ = false;
  Clock::time_point started_ = Clock::now();
  Clock::time_point drawn_ = Clock::now();
};

}  // namespace seedbed::run
