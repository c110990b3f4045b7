// A worker without LibTorch that does what the stage's setting "behaviour" says. It lets the supervisor be tested
// against every way a worker can end.
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <string>
#include <thread>

#include <unistd.h>

#include "protocol/artefact_paths.hpp"
#include "protocol/channel.hpp"
#include "protocol/working_note.hpp"

using seedbed::protocol::Cause;
using seedbed::protocol::Channel;
using seedbed::protocol::GroupRequest;
using seedbed::protocol::Json;
using seedbed::protocol::StageResult;
using seedbed::protocol::StageSpec;
using seedbed::protocol::StageState;

namespace {

StageResult result_of(const StageSpec& stage, const GroupRequest& request) {
  StageResult result;
  result.key = stage.key;
  result.attempt = request.attempts.at(stage.key);
  result.seconds = 0.01;
  if (stage.settings.value("behaviour", "") == "fail") {
    result.state = StageState::failed;
    result.cause = Cause::contract_error;
    result.message = "The scores are not finite.";
    return result;
  }
  if (stage.keep) {
    const std::string bytes = "artefact of " + stage.key;
    const auto path = seedbed::protocol::stage_folder(stage.key) / "maps";
    seedbed::protocol::write_durably(std::filesystem::path(request.artefact_folder) / path, bytes);
    result.artefacts = {{"maps", path.string(), "digest", static_cast<std::int64_t>(bytes.size())}};
  }
  result.metrics = {{"miou_union", "", 0.5, "1", "seeds", "", {}}};
  return result;
}

void run(Channel& channel, const GroupRequest& request) {
  seedbed::protocol::WorkingNote note(seedbed::protocol::working_note_path(request.log_file));
  for (const StageSpec& stage : request.stages) {
    const std::string behaviour = stage.settings.value("behaviour", "");
    note.write(stage.key, "image-7");
    if (behaviour == "crash") std::raise(SIGSEGV);
    if (behaviour == "exit") _exit(7);
    if (behaviour == "garbage") {
      [[maybe_unused]] const auto written = ::write(channel.descriptor(), "\xff\xff\xff\xffgarbage", 11);
      std::this_thread::sleep_for(std::chrono::seconds(60));
    }
    if (behaviour == "silent") continue;
    Json progress{{"kind", "progress"}, {"stage", stage.key}, {"done", 1}, {"total", 2}};
    if (behaviour == "learn") progress["losses"] = {{"a", 0.25}, {"b", 1.5}, {"c", 2.0}};
    channel.send(progress);
    if (behaviour == "learn") std::this_thread::sleep_for(std::chrono::milliseconds(400));
    const auto file = seedbed::protocol::write_result_file(request.inbox_folder, result_of(stage, request));
    if (behaviour == "crash_after_result") std::raise(SIGKILL);
    channel.send({{"kind", "stage_done"}, {"key", stage.key}, {"file", file.string()}});
  }
  channel.send({{"kind", "group_done"}});
}

}  // namespace

int main() {
  const std::string greeting = std::getenv("STAND_IN_GREETING") ? std::getenv("STAND_IN_GREETING") : "";
  if (greeting == "none") return 1;
  Channel channel(seedbed::protocol::kWorkerDescriptor);
  const std::int64_t version = seedbed::protocol::kProtocolVersion + (greeting == "newer" ? 1 : 0);
  channel.send({{"kind", "hello"}, {"version", version}, {"pid", ::getpid()}, {"environment", Json::object()}});
  while (const auto message = channel.receive()) {
    const std::string kind = message->value("kind", "");
    if (kind == "leave") break;
    if (kind == "run") run(channel, message->at("request").get<GroupRequest>());
  }
  return 0;
}
