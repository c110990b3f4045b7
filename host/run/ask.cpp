#include "run/ask.hpp"

#include "run/worker_process.hpp"
#include "seedbed/error.hpp"

namespace seedbed::run {

protocol::Json ask_worker(const std::filesystem::path& worker_program, const protocol::Json& request,
                          const std::function<void(std::int64_t done, std::int64_t total)>& progress) {
  WorkerProcess worker(worker_program);
  worker.channel().send({{"kind", "ask"}, {"request", request}});
  while (const auto message = worker.channel().receive()) {
    const std::string kind = message->value("kind", "");
    if (kind == "answering" && progress) {
      progress(message->value("done", std::int64_t{0}), message->value("total", std::int64_t{0}));
    }
    if (kind != "answer") continue;
    if (!message->contains("error")) return message->at("value");
    const protocol::Json& error = message->at("error");
    throw UserError(error.value("where", ""), error.value("message", ""), error.value("hint", ""));
  }
  const ProcessEnd end = worker.wait();
  throw ContractError("seedbed-worker", "a worker answers what it is asked", "an answer",
                      end.signal != 0 ? "its end by signal " + std::to_string(end.signal)
                                      : "its end with status " + std::to_string(end.exit_status));
}

}  // namespace seedbed::run
