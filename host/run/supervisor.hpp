#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <iosfwd>
#include <string>
#include <vector>

#include "plan/plan.hpp"
#include "plan/work.hpp"
#include "store/store.hpp"

namespace seedbed::run {

struct RunOptions {
  std::filesystem::path worker_program;
  std::int64_t workers = 1;
  bool keep_going = true;  ///< false: the first failure stops the run
  bool quiet = false;
  bool terminal = false;  ///< progress is redrawn in place
};

/// A stage that did not end well in this run.
struct StageFailure {
  std::string key;
  std::string label;
  protocol::StageState state = protocol::StageState::failed;
  protocol::Cause cause = protocol::Cause::none;
  std::string message;
  std::string hint;
  std::string log_file;
};

struct RunSummary {
  std::size_t done = 0;
  std::size_t reused = 0;
  std::vector<StageFailure> failures;  ///< failed and skipped ones, and those lost with a crash
  bool interrupted = false;
  std::size_t workers_started = 0;
};

/// Runs what is left of a plan on local workers and commits every result to the store as it comes.
///
/// The plan must be recorded in the store. One SIGINT or SIGTERM: workers are asked to stop at the next safe place,
/// finished stages are kept. A second one: workers are killed. A worker that dies costs the stages it was running: the row of
/// the one that was being computed says where, those of the others that they were lost with it.
/// Threads: main thread only.
RunSummary run_plan(const plan::Plan& plan, store::Store& store, const RunOptions& options, std::ostream& out);

/// The work that is left, after taking in what workers left in the inbox.
plan::Work remaining_work(const plan::Plan& plan, const store::Store& store);

}  // namespace seedbed::run
