#include "run/supervisor.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <map>
#include <memory>
#include <optional>
#include <ostream>
#include <set>
#include <system_error>

#include <fmt/format.h>
#include <poll.h>

#include "protocol/artefact_paths.hpp"
#include "protocol/working_note.hpp"
#include "run/cost.hpp"
#include "run/inbox.hpp"
#include "run/progress.hpp"
#include "run/signals.hpp"
#include "run/worker_process.hpp"
#include "seedbed/error.hpp"

namespace seedbed::run {
namespace fs = std::filesystem;
namespace {

using protocol::Cause;
using protocol::Json;
using protocol::StageState;

bool artefacts_present(const fs::path& folder, const store::StageStatus& status) {
  if (status.artefacts.empty()) return false;
  return std::all_of(status.artefacts.begin(), status.artefacts.end(), [&](const protocol::ArtefactFile& file) {
    std::error_code error;
    return static_cast<std::int64_t>(fs::file_size(folder / file.path, error)) == file.bytes && !error;
  });
}

std::vector<std::string> keys_of(const plan::Plan& plan) {
  std::vector<std::string> keys;
  for (const plan::PlannedStage& stage : plan.stages) keys.push_back(stage.spec.key);
  return keys;
}

// What one worker is doing.
struct Assignment {
  std::size_t group = 0;
  std::set<std::string> open;                    // keys without a result yet
  std::map<std::string, std::int64_t> attempts;  // key -> attempt
  std::string log_file;
  double progress = 0;
  std::string current;
  std::string losses;  // of a fit: "classification 0.213"
};

// Two terms and the number of the rest: a progress line is short.
std::string losses_in_words(const Json& losses) {
  std::string text;
  std::size_t shown = 0;
  for (const auto& [term, value] : losses.items()) {
    if (++shown > 2) return text + fmt::format(" +{}", losses.size() - 2);
    text += fmt::format("{}{} {:.4g}", text.empty() ? "" : ", ", term, value.get<double>());
  }
  return text;
}

struct Slot {
  std::unique_ptr<WorkerProcess> worker;
  std::optional<Assignment> assignment;
};

class Supervisor {
 public:
  Supervisor(const plan::Plan& plan, store::Store& store, const RunOptions& options, std::ostream& out)
      : plan_(plan), store_(store), options_(options), display_(out, options.terminal, options.quiet) {}

  RunSummary run();

 private:
  enum class GroupState { waiting, running, over };

  void prepare();
  void dispatch();
  bool is_ready(std::size_t group) const;
  std::optional<std::size_t> next_group() const;
  void start(std::size_t group, int slot);
  std::vector<std::size_t> runnable_stages(std::size_t group);
  protocol::GroupRequest request_for(std::size_t group, const std::vector<std::size_t>& stages, const Assignment& work);
  void wait_for_events();
  void handle_signals();
  void handle_messages(int slot);
  void handle_message(int slot, const Json& message);
  void handle_death(int slot);
  void end_lost_stages(const Assignment& work, const std::string& how, int signal);
  void take_file(int slot, const std::string& file);
  void finish_group(int slot);
  void note_result(const protocol::StageResult& result, const std::string& log_file);
  void end_without_result(const std::string& key, std::int64_t attempt, StageState state, Cause cause,
                          const std::string& message, int exit_signal, const std::string& log_file);
  void skip(std::size_t stage, const std::string& reason);
  bool busy() const;
  bool stopping() const { return interrupts_ > 0 || (!options_.keep_going && num_failed_ > 0); }
  RunState state() const;

  const plan::Plan& plan_;
  store::Store& store_;
  const RunOptions& options_;
  ProgressDisplay display_;
  CostModel costs_;
  plan::Work work_;
  std::vector<GroupState> group_states_;
  std::vector<double> path_seconds_;
  std::map<std::string, std::size_t> index_of_key_;
  std::set<std::size_t> lost_;  // stages that failed, were skipped or interrupted in this run
  std::vector<Slot> slots_;
  RunSummary summary_;
  std::size_t num_failed_ = 0;
  std::size_t num_total_ = 0;
  int interrupts_ = 0;
  std::unique_ptr<SignalWatch> signals_;
};

void Supervisor::prepare() {
  take_inbox(store_, nullptr);  // first: what finished before a kill is done and not interrupted
  store_.close_stale_attempts();
  work_ = remaining_work(plan_, store_);
  summary_.reused = work_.num_reused;
  group_states_.assign(work_.groups.size(), GroupState::waiting);
  for (std::size_t i = 0; i < plan_.stages.size(); ++i) index_of_key_[plan_.stages[i].spec.key] = i;
  for (const plan::Group& group : work_.groups) num_total_ += group.stages.size();
  path_seconds_.assign(work_.groups.size(), 0);
  for (std::size_t g = 0; g < work_.groups.size(); ++g) {
    for (const std::size_t stage : work_.groups[g].stages) path_seconds_[g] += costs_.seconds(plan_.stages[stage]);
  }
  // Readers mostly come after what they read, so one pass from the end gives the longest path; where one does not,
  // only the order of starting is less good.
  for (std::size_t g = work_.groups.size(); g-- > 0;) {
    double longest = 0;
    for (std::size_t later = 0; later < work_.groups.size(); ++later) {
      const auto& after = work_.groups[later].after;
      if (std::find(after.begin(), after.end(), g) != after.end()) longest = std::max(longest, path_seconds_[later]);
    }
    path_seconds_[g] += longest;
  }
}

bool Supervisor::is_ready(std::size_t group) const {
  if (group_states_[group] != GroupState::waiting) return false;
  const auto& after = work_.groups[group].after;
  return std::all_of(after.begin(), after.end(), [&](std::size_t g) { return group_states_[g] == GroupState::over; });
}

std::optional<std::size_t> Supervisor::next_group() const {
  std::optional<std::size_t> best;
  for (std::size_t g = 0; g < work_.groups.size(); ++g) {
    if (is_ready(g) && (!best || path_seconds_[g] > path_seconds_[*best])) best = g;
  }
  return best;
}

bool Supervisor::busy() const {
  return std::any_of(slots_.begin(), slots_.end(), [](const Slot& slot) { return slot.assignment.has_value(); });
}

void Supervisor::skip(std::size_t stage, const std::string& reason) {
  lost_.insert(stage);
  const std::string& key = plan_.stages[stage].spec.key;
  const std::int64_t attempt = store_.begin_attempt(key, 0, "");
  store_.end_attempt({key, attempt, StageState::skipped, Cause::none, reason, 0});
  summary_.failures.push_back(
      {key, plan_.stages[stage].record.label, StageState::skipped, Cause::none, reason, "", ""});
}

// Stages of the group whose inputs exist; the others are skipped with the reason.
std::vector<std::size_t> Supervisor::runnable_stages(std::size_t group) {
  std::vector<std::size_t> runnable;
  for (const std::size_t stage : work_.groups[group].stages) {
    const auto& inputs = plan_.stages[stage].inputs;
    const auto lost = std::find_if(inputs.begin(), inputs.end(), [&](std::size_t i) { return lost_.contains(i); });
    if (lost == inputs.end()) {
      runnable.push_back(stage);
    } else {
      skip(stage, "Its input did not come about: `" + plan_.stages[*lost].record.label + "`.");
    }
  }
  return runnable;
}

protocol::GroupRequest Supervisor::request_for(std::size_t group, const std::vector<std::size_t>& stages,
                                               const Assignment& work) {
  const plan::PlannedStage& first = plan_.stages[stages.front()];
  protocol::GroupRequest request;
  request.group = work_.groups[group].name;
  request.dataset = plan_.datasets[first.dataset]->table();
  request.artefact_folder = store_.artefact_folder().string();
  request.inbox_folder = store_.inbox_folder().string();
  request.log_file = work.log_file;
  request.device = first.device;
  request.threads = first.threads;
  request.deterministic = first.deterministic;
  request.attempts = work.attempts;
  for (const std::size_t stage : stages) {
    request.stages.push_back(plan_.stages[stage].spec);
    request.stages.back().keep = work_.keep[stage];
  }
  return request;
}

void Supervisor::start(std::size_t group, int slot) {
  const std::vector<std::size_t> stages = runnable_stages(group);
  if (stages.empty()) {
    group_states_[group] = GroupState::over;
    return;
  }
  Slot& place = slots_[static_cast<std::size_t>(slot)];
  if (!place.worker) {
    place.worker = std::make_unique<WorkerProcess>(options_.worker_program);
    ++summary_.workers_started;
  }
  Assignment work;
  work.group = group;
  work.current = work_.groups[group].name;
  const std::string first_key = plan_.stages[stages.front()].spec.key;
  fs::create_directories(store_.log_folder());
  for (const std::size_t stage : stages) {
    const std::string& key = plan_.stages[stage].spec.key;
    if (work.log_file.empty()) work.log_file = (store_.log_folder() / (first_key.substr(0, 16) + ".log")).string();
    work.attempts[key] = store_.begin_attempt(key, place.worker->pid(), work.log_file);
    work.open.insert(key);
  }
  group_states_[group] = GroupState::running;
  display_.line(fmt::format("started   {}{}", work.current,
                            stages.size() > 1 ? fmt::format(" and {} more streamed with it", stages.size() - 1) : ""));
  const protocol::GroupRequest request = request_for(group, stages, work);
  place.assignment = std::move(work);
  try {
    place.worker->channel().send({{"kind", "run"}, {"request", Json(request)}});
  } catch (const std::system_error&) {
    handle_death(slot);
  }
}

void Supervisor::dispatch() {
  for (std::size_t slot = 0; slot < slots_.size(); ++slot) {
    while (!slots_[slot].assignment && !stopping()) {
      const auto group = next_group();
      if (!group) return;
      start(*group, static_cast<int>(slot));
    }
  }
}

void Supervisor::note_result(const protocol::StageResult& result, const std::string& log_file) {
  const auto known = index_of_key_.find(result.key);
  if (known == index_of_key_.end()) return;
  const plan::PlannedStage& stage = plan_.stages[known->second];
  if (result.state == StageState::done) {
    ++summary_.done;
    costs_.observe(stage, result.seconds);
    display_.line(fmt::format("done      {} ({})", stage.record.label, clock_text(result.seconds)));
    return;
  }
  lost_.insert(known->second);
  if (result.state == StageState::interrupted) return;
  if (result.state == StageState::failed) ++num_failed_;
  summary_.failures.push_back(
      {result.key, stage.record.label, result.state, result.cause, result.message, result.hint, log_file});
  display_.line(fmt::format("{:<9} {}: {}\n          log: {}", name_of(result.state), stage.record.label,
                            result.message, log_file));
}

void Supervisor::take_file(int slot, const std::string& file) {
  Assignment& work = *slots_[static_cast<std::size_t>(slot)].assignment;
  take_result_file(store_, file, [&](const protocol::StageResult& result) {
    work.open.erase(result.key);
    note_result(result, work.log_file);
  });
}

void Supervisor::end_without_result(const std::string& key, std::int64_t attempt, StageState state, Cause cause,
                                    const std::string& message, int exit_signal, const std::string& log_file) {
  store_.end_attempt({key, attempt, state, cause, message, exit_signal});
  const std::size_t stage = index_of_key_.at(key);
  lost_.insert(stage);
  if (cause == Cause::interrupted) return;
  if (state == StageState::failed) ++num_failed_;
  const std::string& label = plan_.stages[stage].record.label;
  summary_.failures.push_back({key, label, state, cause, message, "", log_file});
  display_.line(fmt::format("{:<9} {}: {}\n          log: {}", state == StageState::failed ? "failed" : "lost", label,
                            message, log_file));
}

void Supervisor::finish_group(int slot) {
  Slot& place = slots_[static_cast<std::size_t>(slot)];
  for (const std::string& key : std::set<std::string>(place.assignment->open)) {
    end_without_result(key, place.assignment->attempts.at(key), StageState::failed, Cause::internal,
                       "The worker left no result.", 0, place.assignment->log_file);
  }
  group_states_[place.assignment->group] = GroupState::over;
  place.assignment.reset();
}

void Supervisor::handle_message(int slot, const Json& message) {
  Slot& place = slots_[static_cast<std::size_t>(slot)];
  const std::string kind = message.value("kind", "");
  if (!place.assignment) return;  // a late word about a group that is over
  if (kind == "progress") {
    const double total = std::max(1.0, message.value("total", 1.0));
    place.assignment->progress = message.value("done", 0.0) / total;
    place.assignment->losses = losses_in_words(message.value("losses", Json::object()));
    const auto stage = index_of_key_.find(message.value("stage", ""));
    if (stage != index_of_key_.end()) place.assignment->current = plan_.stages[stage->second].record.label;
  } else if (kind == "stage_done") {
    take_file(slot, message.at("file").get<std::string>());
  } else if (kind == "group_done") {
    finish_group(slot);
  } else if (kind == "failed") {
    const Cause cause = protocol::cause_from(message.value("cause", "internal"));
    for (const std::string& key : std::set<std::string>(place.assignment->open)) {
      end_without_result(key, place.assignment->attempts.at(key), StageState::failed, cause,
                         message.value("message", ""), 0, place.assignment->log_file);
      place.assignment->open.erase(key);
    }
    finish_group(slot);
  }
}

void Supervisor::handle_death(int slot) {
  Slot& place = slots_[static_cast<std::size_t>(slot)];
  const ProcessEnd end = place.worker->wait();
  place.worker.reset();
  if (!place.assignment) return;
  // What it had finished lies in the inbox, even if its word about that was lost.
  Assignment& work = *place.assignment;
  take_inbox(store_, [&](const protocol::StageResult& result) {
    work.open.erase(result.key);
    note_result(result, work.log_file);
  });
  const std::string how =
      end.signal != 0 ? fmt::format("The worker was ended by signal `{}` ({}).", end.signal, strsignal(end.signal))
                      : fmt::format("The worker ended with status `{}`.", end.exit_status);
  end_lost_stages(work, how, end.signal);
  group_states_[work.group] = GroupState::over;
  place.assignment.reset();
}

// The stage that was being computed has crashed; the others of its stream are lost through no fault of theirs, and the
// next run makes them again.
void Supervisor::end_lost_stages(const Assignment& work, const std::string& how, int signal) {
  const fs::path note = protocol::working_note_path(work.log_file);
  const auto last = protocol::read_working_note(note);
  std::error_code ignored;
  fs::remove(note, ignored);
  const bool ours = interrupts_ > 0;
  const bool known = last && work.open.contains(last->stage_key);
  for (const std::string& key : work.open) {
    const std::int64_t attempt = work.attempts.at(key);
    if (ours) {
      end_without_result(key, attempt, StageState::interrupted, Cause::interrupted, how, signal, work.log_file);
    } else if (!known || key == last->stage_key) {
      const std::string where =
          known && !last->image_id.empty() ? fmt::format(" It was at image `{}`.", last->image_id) : "";
      end_without_result(key, attempt, StageState::failed, Cause::crash, how + where, signal, work.log_file);
    } else {
      const std::string& culprit = plan_.stages[index_of_key_.at(last->stage_key)].record.label;
      end_without_result(key, attempt, StageState::interrupted, Cause::crash,
                         fmt::format("Lost with `{}`, which was streamed with it. {}", culprit, how), signal,
                         work.log_file);
    }
  }
}

void Supervisor::handle_messages(int slot) {
  Slot& place = slots_[static_cast<std::size_t>(slot)];
  while (place.worker) {
    bool closed = false;
    std::optional<Json> message;
    try {
      message = place.worker->channel().try_receive(closed);
    } catch (const ContractError&) {
      place.worker->kill();  // what it says can no longer be understood
      closed = true;
    }
    if (closed) return handle_death(slot);
    if (!message) return;
    handle_message(slot, *message);
  }
}

void Supervisor::handle_signals() {
  const int count = signals_->take();
  for (int i = 0; i < count; ++i) {
    ++interrupts_;
    for (Slot& slot : slots_) {
      if (!slot.worker) continue;
      if (interrupts_ > 1) {
        slot.worker->kill();
        continue;
      }
      try {
        slot.worker->channel().send({{"kind", "cancel"}});
      } catch (const std::system_error&) {
        // It died in this moment; its channel tells.
      }
    }
    display_.line(interrupts_ == 1 ? "Stopping: running stages end at the next safe place. Once more stops them now."
                                   : "Stopping now.");
  }
}

RunState Supervisor::state() const {
  RunState state;
  state.stages_done = summary_.done;
  state.stages_total = num_total_;
  state.stages_failed = num_failed_;
  double left = 0;
  for (std::size_t g = 0; g < work_.groups.size(); ++g) {
    if (group_states_[g] == GroupState::over) continue;
    for (const std::size_t stage : work_.groups[g].stages) left += costs_.seconds(plan_.stages[stage]);
  }
  int number = 0;
  for (const Slot& slot : slots_) {
    if (slot.assignment) {
      double running = 0;
      for (const std::size_t stage : work_.groups[slot.assignment->group].stages) {
        running += costs_.seconds(plan_.stages[stage]);
      }
      left -= running * slot.assignment->progress;
      state.busy[number] = fmt::format("{} {:.0f} %", slot.assignment->current, 100 * slot.assignment->progress);
      if (!slot.assignment->losses.empty()) state.busy[number] += " (" + slot.assignment->losses + ")";
    }
    ++number;
  }
  // Before the first stage is over there is nothing but a guess.
  state.seconds_left = summary_.done > 0 ? left / static_cast<double>(slots_.size()) : -1;
  return state;
}

void Supervisor::wait_for_events() {
  std::vector<pollfd> watched{{signals_->descriptor(), POLLIN, 0}};
  std::vector<int> slot_of;
  for (std::size_t slot = 0; slot < slots_.size(); ++slot) {
    if (!slots_[slot].worker) continue;
    watched.push_back({slots_[slot].worker->channel().descriptor(), POLLIN, 0});
    slot_of.push_back(static_cast<int>(slot));
  }
  constexpr int kDrawPeriodMs = 200;
  if (::poll(watched.data(), watched.size(), kDrawPeriodMs) < 0 && errno != EINTR) {
    throw std::system_error(errno, std::generic_category(), "waiting for workers");
  }
  if (watched.front().revents != 0) handle_signals();
  for (std::size_t i = 1; i < watched.size(); ++i) {
    if (watched[i].revents != 0) handle_messages(slot_of[i - 1]);
  }
}

RunSummary Supervisor::run() {
  signals_ = std::make_unique<SignalWatch>();
  prepare();
  slots_.resize(static_cast<std::size_t>(std::max<std::int64_t>(1, options_.workers)));
  for (;;) {
    handle_signals();
    dispatch();
    if (!busy()) break;
    display_.update(state());
    wait_for_events();
  }
  slots_.clear();  // workers leave before the summary says that nothing runs any more
  summary_.interrupted = interrupts_ > 0;
  return summary_;
}

}  // namespace

plan::Work remaining_work(const plan::Plan& plan, const store::Store& store) {
  const fs::path folder = store.artefact_folder();
  return plan::outstanding_work(
      plan, store.statuses(keys_of(plan)),
      [&](const plan::PlannedStage&, const store::StageStatus& status) { return artefacts_present(folder, status); });
}

RunSummary run_plan(const plan::Plan& plan, store::Store& store, const RunOptions& options, std::ostream& out) {
  return Supervisor(plan, store, options, out).run();
}

}  // namespace seedbed::run
