// The worker program, driven over its channel as the supervisor does.
#include <algorithm>
#include <chrono>
#include <fstream>
#include <iterator>
#include <set>
#include <thread>

#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "protocol/artefact_paths.hpp"
#include "protocol/working_note.hpp"
#include "run/worker_process.hpp"
#include "stage_requests.hpp"
#include "support/temp_folder.hpp"

namespace seedbed::worker {
namespace {

using protocol::Json;
using protocol::StageState;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using testing::TempFolder;

std::string text_of(const std::filesystem::path& file) {
  std::ifstream stream(file);
  return {std::istreambuf_iterator<char>(stream), {}};
}

class WorkerTest : public ::testing::Test {
 protected:
  Json ask(const Json& request) {
    worker_.channel().send({{"kind", "ask"}, {"request", request}});
    return worker_.channel().receive().value_or(Json{{"kind", "closed"}});
  }

  /// Sends a group and returns every message up to the last one about it.
  std::vector<Json> run(const protocol::GroupRequest& request) {
    worker_.channel().send({{"kind", "run"}, {"request", Json(request)}});
    return until_over();
  }

  std::vector<Json> until_over() {
    std::vector<Json> messages;
    while (auto message = worker_.channel().receive()) {
      const std::string kind = message->value("kind", "");
      messages.push_back(std::move(*message));
      if (kind == "group_done" || kind == "failed") break;
    }
    return messages;
  }

  protocol::GroupRequest request(std::vector<protocol::StageSpec> stages) {
    protocol::GroupRequest made = stages::request(folder_.path(), std::move(stages));
    made.inbox_folder = (folder_ / "inbox").string();
    made.log_file = (folder_ / "attempt.log").string();
    for (const protocol::StageSpec& spec : made.stages) made.attempts[spec.key] = 7;
    return made;
  }

  static std::vector<protocol::StageResult> results_in(const std::vector<Json>& messages) {
    std::vector<protocol::StageResult> results;
    for (const Json& message : messages) {
      if (message.at("kind") == "stage_done")
        results.push_back(protocol::read_result_file(message.at("file").get<std::string>()));
    }
    return results;
  }

  TempFolder folder_;
  run::WorkerProcess worker_{SEEDBED_WORKER_PROGRAM};
};

TEST_F(WorkerTest, GreetsWithItsEnvironment) {
  for (const char* fact : {"torch", "cpu_capability", "compiler", "threads", "seedbed"}) {
    EXPECT_TRUE(worker_.environment().contains(fact)) << fact;
  }
}

TEST_F(WorkerTest, AnswersQuestions) {
  EXPECT_TRUE(ask({{"ask", "environment"}}).at("value").contains("torch"));
  const Json check =
      ask({{"ask", "datasets_check"}, {"dataset", {{"kind", "scenes"}, {"roles", {{"train", "0..4"}}}}}});
  EXPECT_THAT(check.at("value").at("problems"), IsEmpty());
  EXPECT_EQ(check.at("value").at("images"), 0);  // scenes are drawn, not read
  const auto binding = stages::builtin("pamr", "pamr");
  EXPECT_EQ(ask({{"ask", "plugins_load"}, {"library", binding.library}}).at("value").at("methods").at(0).at("id"),
            "pamr");
}

TEST_F(WorkerTest, AnswersWithWhatIsWrong) {
  EXPECT_THAT(ask({{"ask", "wether"}}).at("error").at("message").get<std::string>(), HasSubstr("`wether`"));
  EXPECT_THAT(ask({{"ask", "weights_info"}, {"file", "/nowhere.pth"}}).at("error").at("where").get<std::string>(),
              HasSubstr("nowhere.pth"));
  const auto refused = stages::fixture("throws", "fixture.throws");
  EXPECT_THAT(ask({{"ask", "plugins_load"}, {"library", refused.library}}).at("error").at("message").get<std::string>(),
              HasSubstr("registration does not throw"));
}

TEST_F(WorkerTest, LeavesResultsInTheInboxAndWordsInTheLog) {
  const protocol::StageSpec seeds = stages::cam_seeds("measure", 0, 6, false);
  const auto messages = run(request({seeds, stages::sweep_of(seeds)}));
  EXPECT_EQ(messages.back().at("kind"), "group_done");
  EXPECT_EQ(messages.front().at("kind"), "progress");
  const auto results = results_in(messages);
  ASSERT_THAT(results, SizeIs(2));
  for (const protocol::StageResult& result : results) {
    EXPECT_EQ(result.state, StageState::done) << result.message;
    EXPECT_EQ(result.attempt, 7);
    EXPECT_GT(result.peak_memory_bytes, 0);
    EXPECT_EQ(result.environment.at("device"), "cpu");
    EXPECT_EQ(result.environment.at("threads"), 1);
  }
  EXPECT_THAT(text_of(folder_ / "attempt.log"), HasSubstr("info done seeds-measure"));
}

TEST_F(WorkerTest, TakesOneGroupAfterTheOther) {
  const protocol::StageSpec seeds = stages::cam_seeds("measure", 0, 3, false);
  EXPECT_THAT(results_in(run(request({seeds}))), SizeIs(1));
  EXPECT_THAT(results_in(run(request({stages::sweep_of(seeds)}))), SizeIs(1));
}

TEST_F(WorkerTest, ThreadsAreTheRequests) {
  protocol::GroupRequest two = request({stages::cam_seeds("measure", 0, 3, false)});
  two.threads = 2;
  EXPECT_EQ(results_in(run(two)).at(0).environment.at("threads"), 2);
}

TEST_F(WorkerTest, DeterminismIsTheRequests) {
  const protocol::StageSpec seeds = stages::cam_seeds("measure", 0, 2, false);
  const protocol::StageSpec differs = stages::refined_by(stages::fixture("misbehaving", "fixture.differs"), seeds);
  protocol::GroupRequest strict = request({seeds, differs});
  const auto refused = results_in(run(strict));
  ASSERT_THAT(refused, SizeIs(2));
  for (const protocol::StageResult& result : refused) {
    EXPECT_EQ(result.environment.at("deterministic"), true);
    if (result.key != differs.key) continue;
    EXPECT_EQ(result.cause, protocol::Cause::user_error);
    EXPECT_THAT(
        result.message,
        HasSubstr("`fixture.differs` needs an operation whose result may differ from run to run: `differs_fixture`"));
    EXPECT_THAT(result.hint, HasSubstr("execution.deterministic"));
  }
  strict.deterministic = false;
  for (const protocol::StageResult& result : results_in(run(strict))) {
    EXPECT_EQ(result.state, StageState::done) << result.message;
    EXPECT_EQ(result.environment.at("deterministic"), false);
  }
}

TEST_F(WorkerTest, AFitTellsItsLossesWithItsProgress) {
  const auto messages = run(request({stages::fit_cam()}));
  const auto last = std::ranges::find_if(messages, [](const Json& message) {
    return message.at("kind") == "progress" && message.at("done") == message.at("total");
  });
  ASSERT_NE(last, messages.end());
  EXPECT_TRUE(last->at("losses").contains("classification"));
  EXPECT_FALSE(std::filesystem::exists(protocol::working_note_path(folder_ / "attempt.log")));
}

TEST_F(WorkerTest, AKilledWorkerLeavesANoteOfWhatItWasAt) {
  const protocol::StageSpec seeds = stages::cam_seeds("measure", 0, 6, false);
  protocol::StageSpec crashes = stages::refined_by(stages::fixture("misbehaving", "fixture.crashes_at"), seeds);
  crashes.methods["refiner"].parameters["image"] = "scene-00003";
  run(request({seeds, crashes}));
  const auto last = protocol::read_working_note(protocol::working_note_path(folder_ / "attempt.log"));
  ASSERT_TRUE(last.has_value());
  EXPECT_EQ(last->stage_key, crashes.key);
  EXPECT_EQ(last->image_id, "scene-00003");
}

TEST_F(WorkerTest, SaysWhatIsWrongWithAWholeGroup) {
  protocol::GroupRequest no_data = request({stages::cam_seeds("measure", 0, 3, false)});
  no_data.dataset = {{"kind", "voc"}, {"root", "/nowhere"}};
  const Json refused = run(no_data).back();
  EXPECT_EQ(refused.at("kind"), "failed");
  EXPECT_EQ(refused.at("cause"), "user_error");
  EXPECT_THAT(refused.at("message").get<std::string>(), HasSubstr("/nowhere"));
  protocol::GroupRequest other_version = request({});
  other_version.version = 99;
  EXPECT_EQ(run(other_version).back().at("cause"), "contract_error");
}

TEST_F(WorkerTest, CancelStopsAFitAndTheNextGroupRuns) {
  const protocol::StageSpec fit = stages::fit_cam({{"epochs", 500}});
  worker_.channel().send({{"kind", "run"}, {"request", Json(request({fit}))}});
  ASSERT_EQ(worker_.channel().receive()->at("kind"), "progress");
  worker_.channel().send({{"kind", "cancel"}});
  const auto results = results_in(until_over());
  ASSERT_THAT(results, SizeIs(1));
  EXPECT_EQ(results.at(0).state, StageState::interrupted);
  EXPECT_TRUE(
      std::filesystem::exists(folder_.path() / "artefacts" / protocol::stage_folder(fit.key) / "resume.safetensors"));
  EXPECT_EQ(results_in(run(request({stages::cam_seeds("measure", 0, 3, false)}))).at(0).state, StageState::done);
}

TEST_F(WorkerTest, RunsOutOfMemoryInWords) {
  protocol::GroupRequest tight = request({stages::fit_cam({{"batch_size", 12}, {"input", "square:768"}})});
  tight.memory_limit_bytes = 400 << 20;
  const auto results = results_in(run(tight));
  ASSERT_THAT(results, SizeIs(1));
  EXPECT_EQ(results.at(0).cause, protocol::Cause::out_of_memory) << results.at(0).message;
  EXPECT_EQ(results_in(run(request({stages::cam_seeds("measure", 0, 3, false)}))).at(0).state, StageState::done);
}

TEST_F(WorkerTest, ACrashKeepsWhatWasFinished) {
  const protocol::StageSpec seeds = stages::cam_seeds("measure", 0, 3, false);
  const protocol::StageSpec crash = stages::refined_by(stages::fixture("misbehaving", "fixture.crashes"), seeds);
  protocol::StageSpec first = stages::cam_seeds("first", 0, 1, false);
  worker_.channel().send({{"kind", "run"}, {"request", Json(request({first, seeds, crash}))}});
  EXPECT_THAT(until_over().size(), ::testing::Ge(0u));
  EXPECT_EQ(worker_.wait().signal, SIGABRT);
}

TEST_F(WorkerTest, EndsWhenItsSupervisorIsGone) {
  const pid_t pid = worker_.pid();
  worker_.channel().send({{"kind", "run"}, {"request", Json(request({stages::fit_cam({{"epochs", 5000}})}))}});
  ASSERT_TRUE(worker_.channel().receive().has_value());
  ::shutdown(worker_.channel().descriptor(), SHUT_RDWR);
  EXPECT_EQ(worker_.wait().exit_status, 1);
  EXPECT_NE(::kill(pid, 0), 0);
}

TEST_F(WorkerTest, LeavesWhenAskedTo) {
  worker_.channel().send({{"kind", "leave"}});
  const run::ProcessEnd end = worker_.wait();
  EXPECT_EQ(end.exit_status, 0);
  EXPECT_EQ(end.signal, 0);
}

int status_of(const std::string& arguments) {
  const int status = std::system((std::string(SEEDBED_WORKER_PROGRAM) + " " + arguments).c_str());
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(WorkerProgram, IsNotForHands) {
  EXPECT_EQ(status_of("2>/dev/null 3>&-"), 2);
  EXPECT_EQ(status_of("--frobnicate 2>/dev/null"), 2);
  EXPECT_EQ(status_of("--version >/dev/null"), 0);
}

TEST(WorkerProgram, RunsOneGroupFromAFile) {
  const TempFolder folder;
  const protocol::StageSpec seeds = stages::cam_seeds("measure", 0, 2, false);
  const auto file = folder.write("group.json", Json(stages::request(folder.path(), {seeds})).dump());
  EXPECT_EQ(status_of("--group " + file.string() + " >" + (folder / "out.json").string() + " 2>/dev/null"), 0);
  EXPECT_THAT(text_of(folder / "out.json"), HasSubstr("\"state\": \"done\""));
  EXPECT_EQ(status_of("--group /nowhere.json 2>/dev/null"), 2);
}

}  // namespace
}  // namespace seedbed::worker
