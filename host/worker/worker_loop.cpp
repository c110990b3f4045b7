#include "worker/worker_loop.hpp"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <exception>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>

#include <unistd.h>

#include "plugin/registry.hpp"
#include "protocol/channel.hpp"
#include "seedbed/error.hpp"
#include "stages/failure.hpp"
#include "worker/asks.hpp"
#include "worker/attempt.hpp"
#include "worker/environment.hpp"
#include "worker/log.hpp"
#include "worker/process_setup.hpp"

namespace seedbed::worker {
namespace {

using protocol::Json;

/// What the supervisor wants, read on a thread of its own so that `cancel` reaches a stage that computes.
class Orders {
 public:
  explicit Orders(protocol::Channel& channel) : channel_(channel), reader_([this] { read(); }) { reader_.detach(); }

  /// Waits for the next message; nullopt once there will be none.
  std::optional<Json> next() {
    std::unique_lock<std::mutex> lock(mutex_);
    arrived_.wait(lock, [this] { return !messages_.empty() || over_; });
    if (messages_.empty()) return std::nullopt;
    Json message = std::move(messages_.front());
    messages_.pop_front();
    return message;
  }

  std::atomic<bool> cancelled{false};

 private:
  void read() {
    try {
      while (std::optional<Json> message = channel_.receive()) {
        const std::string kind = message->value("kind", "");
        if (kind == "cancel") {
          cancelled = true;
          continue;
        }
        const std::lock_guard<std::mutex> lock(mutex_);
        if (kind == "run") cancelled = false;  // here, so that a cancel right behind it is not lost
        over_ = over_ || kind == "leave";
        if (!over_) messages_.push_back(std::move(*message));
        arrived_.notify_one();
        if (over_) return;
      }
    } catch (const std::exception& error) {
      write_log(LogLevel::warning, error.what());
    }
    leave(1);  // the supervisor is gone: nobody would take a result
  }

  protocol::Channel& channel_;
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::deque<Json> messages_;
  bool over_ = false;
  std::thread reader_;
};

Json error_answer(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const UserError& user_error) {
    return {{"where", user_error.where()}, {"message", user_error.message()}, {"hint", user_error.hint()}};
  } catch (...) {
    const stages::Failure failure = stages::describe_failure(std::current_exception(), "seedbed-worker");
    return {{"where", ""}, {"message", failure.message}, {"hint", failure.hint}};
  }
}

// Sent ten times a second at most: whoever asks draws a line with it.
class ProgressOfAsk {
 public:
  explicit ProgressOfAsk(const Send& send) : send_(send) {}

  void operator()(std::int64_t done, std::int64_t total) {
    const auto now = std::chrono::steady_clock::now();
    if (done < total && now - sent_ < std::chrono::milliseconds(100)) return;
    sent_ = now;
    send_({{"kind", "answering"}, {"done", done}, {"total", total}});
  }

 private:
  const Send& send_;
  std::chrono::steady_clock::time_point sent_;
};

void answer_ask(const Json& message, plugin::Registry& registry, const Send& send) {
  try {
    ProgressOfAsk progress(send);
    send({{"kind", "answer"}, {"value", answer(message.at("request"), registry, std::ref(progress))}});
  } catch (...) {
    send({{"kind", "answer"}, {"error", error_answer(std::current_exception())}});
  }
}

// A request of another version, or torn: the supervisor hears why.
std::optional<protocol::GroupRequest> group_request(const Json& message, const Send& send) {
  try {
    auto request = message.at("request").get<protocol::GroupRequest>();
    if (request.version == protocol::kProtocolVersion) return request;
    throw ContractError("seedbed", "supervisor and worker speak one protocol version",
                        std::to_string(protocol::kProtocolVersion), std::to_string(request.version));
  } catch (...) {
    const stages::Failure failure = stages::describe_failure(std::current_exception(), "seedbed");
    send({{"kind", "failed"}, {"cause", name_of(failure.cause)}, {"message", failure.message}});
    return std::nullopt;
  }
}

}  // namespace

int serve() {
  // Neither ends before the process: the reader thread uses both.
  static protocol::Channel channel(protocol::kWorkerDescriptor);
  static Orders orders(channel);
  stages::Session session;
  const Send send = [](const Json& message) { channel.send(message); };
  send({{"kind", "hello"},
        {"version", protocol::kProtocolVersion},
        {"pid", ::getpid()},
        {"environment", environment()}});
  while (const std::optional<Json> message = orders.next()) {
    const std::string kind = message->value("kind", "");
    if (kind == "ask") {
      answer_ask(*message, session.registry(), send);
    } else if (kind == "run") {
      const auto request = group_request(*message, send);
      if (request && !run_attempt(*request, session, send, orders.cancelled)) return 1;
    } else {
      write_log(LogLevel::warning, "a message of an unknown kind was left aside: " + kind);
    }
  }
  return 0;
}

}  // namespace seedbed::worker
