#include "run/supervisor.hpp"

#include <filesystem>
#include <sstream>

#include <gtest/gtest.h>
#include <unistd.h>

namespace seedbed::run {
namespace {

namespace fs = std::filesystem;
using protocol::Cause;
using protocol::StageState;
using protocol::StageType;

// Plans of stand-in stages, run by the stand-in worker, in a real store.
class SupervisorTest : public testing::Test {
 protected:
  SupervisorTest() {
    fs::create_directories(folder_);
    plan_.datasets.push_back(dataset::Dataset::open({{"kind", "scenes"}, {"roles", {{"train", "0..2"}}}}));
    plan_.study.name = "test";
    plan_.study.plan_digest = "digest";
    store_ = store::Store::open(folder_ / "store.db", store::Access::write);
  }
  ~SupervisorTest() override {
    store_.reset();
    fs::remove_all(folder_);
  }

  std::size_t add(StageType type, std::vector<std::size_t> inputs, const std::string& behaviour = "") {
    PlannedStage stage;
    const std::size_t number = plan_.stages.size();
    stage.spec.key = std::string(62, 'a') + std::to_string(10 + number);
    stage.spec.type = type;
    stage.spec.operation = type == StageType::fit ? "seed_generator" : type == StageType::map ? "seeds" : "labels";
    stage.spec.role = "train";
    stage.spec.settings = {{"behaviour", behaviour}};
    for (const std::size_t input : inputs) stage.spec.inputs.push_back({"maps", plan_.stages[input].spec.key});
    stage.record.key = stage.spec.key;
    stage.record.type = type;
    stage.record.operation = stage.spec.operation;
    stage.record.label = "stage " + std::to_string(number);
    stage.record.role = "train";
    stage.record.inputs = stage.spec.inputs;
    stage.inputs = std::move(inputs);
    plan_.stages.push_back(stage);
    return number;
  }

  RunSummary run(std::int64_t workers = 1, bool keep_going = true) {
    std::vector<store::StageRecord> records;
    for (const PlannedStage& stage : plan_.stages) records.push_back(stage.record);
    store_->record_study(plan_.study, records);
    RunOptions options;
    options.worker_program = SEEDBED_STAND_IN_WORKER;
    options.workers = workers;
    options.keep_going = keep_going;
    options.terminal = terminal_;
    return run_plan(plan_, *store_, options, out_);
  }

  StageState state_of(std::size_t stage) const {
    return store_->statuses({plan_.stages[stage].spec.key}).at(plan_.stages[stage].spec.key).state;
  }

  using PlannedStage = plan::PlannedStage;
  const fs::path folder_ = fs::temp_directory_path() / ("seedbed-supervisor-" + std::to_string(::getpid()));
  plan::Plan plan_;
  std::unique_ptr<store::Store> store_;
  std::ostringstream out_;
  bool terminal_ = false;
};

TEST_F(SupervisorTest, RunsInputsFirstAndReusesThemNextTime) {
  const auto fit = add(StageType::fit, {});
  const auto map = add(StageType::map, {fit});
  add(StageType::score, {map});
  EXPECT_EQ(run(2).done, 3u);
  const RunSummary second = run(2);
  EXPECT_EQ(second.done, 0u);
  EXPECT_EQ(second.workers_started, 0u);
  EXPECT_NE(out_.str().find("done      stage 0"), std::string::npos) << out_.str();
}

TEST_F(SupervisorTest, AFailureTakesDownItsReadersAndNobodyElse) {
  const auto bad = add(StageType::fit, {}, "fail");
  const auto good = add(StageType::fit, {});
  const auto below_bad = add(StageType::score, {bad});
  const auto below_good = add(StageType::score, {good});
  const RunSummary summary = run();
  EXPECT_EQ(summary.done, 2u);
  ASSERT_EQ(summary.failures.size(), 2u);
  EXPECT_EQ(summary.failures[0].cause, Cause::contract_error);
  EXPECT_EQ(summary.failures[1].state, StageState::skipped);
  EXPECT_NE(summary.failures[1].message.find("`stage 0`"), std::string::npos);
  EXPECT_EQ(state_of(below_bad), StageState::skipped);
  EXPECT_EQ(state_of(below_good), StageState::done);
}

TEST_F(SupervisorTest, FailFastStartsNothingMore) {
  add(StageType::fit, {}, "fail");
  add(StageType::score, {add(StageType::fit, {})});
  add(StageType::score, {0});
  EXPECT_LT(run(1, false).done, 2u);
}

TEST_F(SupervisorTest, ACrashCostsTheStageInFlightAndANewWorkerGoesOn) {
  const auto crash = add(StageType::fit, {}, "crash");
  const auto good = add(StageType::fit, {});
  add(StageType::score, {crash});
  add(StageType::score, {good});
  const RunSummary summary = run();
  EXPECT_EQ(summary.done, 2u);
  EXPECT_EQ(summary.workers_started, 2u);
  EXPECT_EQ(summary.failures[0].cause, Cause::crash);
  EXPECT_NE(summary.failures[0].message.find("signal `11`"), std::string::npos) << summary.failures[0].message;
}

// A stream of four: one is done before another crashes, two are lost with it.
TEST_F(SupervisorTest, ACrashInAStreamSaysWhoCrashedAndWhoIsLostWithIt) {
  const auto maps = add(StageType::map, {});
  const auto done = add(StageType::score, {maps});
  const auto crash = add(StageType::score, {maps}, "crash");
  const auto lost = add(StageType::score, {maps});
  plan_.stages[maps].spec.settings["behaviour"] = "silent";
  const RunSummary summary = run();
  EXPECT_EQ(state_of(done), StageState::done) << "its result was in the inbox";
  EXPECT_EQ(state_of(crash), StageState::failed);
  EXPECT_EQ(state_of(lost), StageState::interrupted);
  EXPECT_EQ(state_of(maps), StageState::interrupted);
  ASSERT_EQ(summary.failures.size(), 3u);
  for (const StageFailure& failure : summary.failures) {
    EXPECT_EQ(failure.cause, Cause::crash);
    const bool crashed = failure.key == plan_.stages[crash].spec.key;
    EXPECT_NE(failure.message.find(crashed ? "It was at image `image-7`." : "Lost with `stage 2`"), std::string::npos)
        << failure.message;
  }
  // The next run makes what is not done, and no more.
  for (PlannedStage& stage : plan_.stages) stage.spec.settings["behaviour"] = "";
  const RunSummary next = run();
  EXPECT_EQ(next.done, 3u);
  EXPECT_TRUE(next.failures.empty());
}

TEST_F(SupervisorTest, LossesOfAFitAreShownWithItsProgress) {
  add(StageType::score, {add(StageType::fit, {}, "learn")});
  terminal_ = true;
  run();
  EXPECT_NE(out_.str().find("stage 0 50 % (a 0.25, b 1.5 +1)"), std::string::npos) << out_.str();
}

TEST_F(SupervisorTest, NoNoteIsLeftBehind) {
  add(StageType::score, {}, "crash");
  add(StageType::score, {});
  run();
  for (const auto& entry : fs::recursive_directory_iterator(folder_)) EXPECT_NE(entry.path().extension(), ".working");
}

TEST_F(SupervisorTest, AResultInTheInboxCountsThoughTheWorkerDied) {
  const auto fit = add(StageType::fit, {}, "crash_after_result");
  add(StageType::score, {fit});
  const RunSummary summary = run();
  EXPECT_EQ(summary.done, 2u);
  EXPECT_TRUE(summary.failures.empty());
}

TEST_F(SupervisorTest, AWorkerThatExitsTalksNonsenseOrForgetsAStageIsAFailure) {
  for (const char* behaviour : {"exit", "garbage", "silent"}) add(StageType::score, {}, behaviour);
  const RunSummary summary = run();
  ASSERT_EQ(summary.failures.size(), 3u);
  EXPECT_NE(summary.failures[0].message.find("status `7`"), std::string::npos) << summary.failures[0].message;
  EXPECT_EQ(summary.failures[1].cause, Cause::crash);
  EXPECT_EQ(summary.failures[2].message, "The worker left no result.");
}

TEST_F(SupervisorTest, AFailedStageIsTriedAgainByTheNextRun) {
  const auto fit = add(StageType::fit, {}, "fail");
  add(StageType::score, {fit});
  run();
  plan_.stages[fit].spec.settings["behaviour"] = "";
  EXPECT_EQ(run().done, 2u);
  EXPECT_EQ(state_of(fit), StageState::done);
}

}  // namespace
}  // namespace seedbed::run
