#include "worker/attempt.hpp"

#include <chrono>
#include <exception>
#include <map>
#include <optional>
#include <string>

#include "protocol/artefact_paths.hpp"
#include "protocol/working_note.hpp"
#include "stages/failure.hpp"
#include "worker/environment.hpp"
#include "worker/log.hpp"
#include "worker/process_setup.hpp"

namespace seedbed::worker {
namespace {

using Clock = std::chrono::steady_clock;
using protocol::Cause;
using protocol::Json;

constexpr std::chrono::milliseconds kProgressInterval{100};

class AttemptObserver : public stages::GroupObserver {
 public:
  AttemptObserver(const protocol::GroupRequest& request, const Send& send, const std::atomic<bool>& cancelled)
      : request_(request), send_(send), cancelled_(cancelled) {
    if (!request.log_file.empty()) note_.emplace(protocol::working_note_path(request.log_file));
  }

  void progress(std::string_view stage_key, std::int64_t done, std::int64_t total) override {
    const auto now = Clock::now();
    if (done < total && now - last_progress_ < kProgressInterval) return;
    last_progress_ = now;
    Json message{{"kind", "progress"}, {"stage", stage_key}, {"done", done}, {"total", total}};
    if (!losses_.empty()) message["losses"] = losses_;
    send_(message);
  }

  void losses(std::string_view, const std::map<std::string, double>& terms) override { losses_ = terms; }

  void working_on(std::string_view stage_key, std::string_view image_id) override {
    if (note_) note_->write(stage_key, image_id);
  }

  void log(LogLevel level, std::string_view message) override { write_log(level, message); }

  bool cancelled() const override { return cancelled_.load(std::memory_order_relaxed); }

  void stage_over(protocol::StageResult result) override {
    const auto attempt = request_.attempts.find(result.key);
    if (attempt != request_.attempts.end()) result.attempt = attempt->second;
    result.environment = environment();
    result.environment["device"] = request_.device;
    result.peak_memory_bytes = peak_memory_bytes();
    if (result.cause == Cause::device_lost) device_lost = true;
    const std::string words = result.message.empty() ? "" : ": " + result.message;
    write_log(LogLevel::info, std::string(name_of(result.state)) + " " + result.key.substr(0, 16) + words);
    if (request_.inbox_folder.empty()) return send_({{"kind", "stage_done"}, {"key", result.key}, {"result", result}});
    const std::filesystem::path file = protocol::write_result_file(request_.inbox_folder, result);
    send_({{"kind", "stage_done"}, {"key", result.key}, {"file", file.string()}});
  }

  /// Nothing is being computed any more. Before the supervisor hears so, since it may look for the note.
  void close_note() { note_.reset(); }

  bool device_lost = false;

 private:
  const protocol::GroupRequest& request_;
  const Send& send_;
  const std::atomic<bool>& cancelled_;
  std::optional<protocol::WorkingNote> note_;
  std::map<std::string, double> losses_;
  Clock::time_point last_progress_{};
};

}  // namespace

bool run_attempt(const protocol::GroupRequest& request, stages::Session& session, const Send& send,
                 const std::atomic<bool>& cancelled) {
  const LogRedirection log(request.log_file);
  set_threads(request.threads);
  set_determinism(request.deterministic);
  limit_memory(request.memory_limit_bytes);
  reset_peak_memory();
  write_log(LogLevel::info, "group " + request.group);
  AttemptObserver observer(request, send, cancelled);
  try {
    stages::run_group(request, session, observer);
    observer.close_note();
    send({{"kind", "group_done"}});
  } catch (...) {
    const stages::Failure failure = stages::describe_failure(std::current_exception(), request.group);
    write_log(LogLevel::warning, failure.detail);
    observer.close_note();
    send({{"kind", "failed"}, {"cause", name_of(failure.cause)}, {"message", failure.message}, {"hint", failure.hint}});
  }
  limit_memory(0);
  return_freed_memory();
  return !observer.device_lost;
}

}  // namespace seedbed::worker
