#include <gtest/gtest.h>

#include "expect_error.hpp"
#include "small_study.hpp"

namespace seedbed::store::test {
namespace {
using protocol::Cause;
using protocol::StageState;
using testing::HasSubstr;

class Attempts : public testing::Test {
 protected:
  Attempts() : store_(Store::open(folder_.file(), Access::write)) {
    const SmallStudy small = small_study();
    store_->record_study(small.study, small.stages);
  }

  StageStatus status(const std::string& key = "fit-cam-0") { return store_->statuses({key}).at(key); }
  std::string value(const std::string& sql) { return store_->query(sql).rows.at(0).at(0).value_or("NULL"); }
  std::int64_t begin(const std::string& key = "fit-cam-0") { return store_->begin_attempt(key, 4711, "logs/a.log"); }

  TemporaryFolder folder_;
  std::unique_ptr<Store> store_;
};

TEST_F(Attempts, StatusesTellOnlyOfKnownStages) {
  const auto statuses = store_->statuses({"fit-cam-0", "unheard-of", "seeds-grid"});
  EXPECT_EQ(statuses.size(), 2u);
  EXPECT_EQ(statuses.at("fit-cam-0").state, StageState::planned);
  EXPECT_FALSE(statuses.at("fit-cam-0").has_result);
  EXPECT_TRUE(store_->statuses({}).empty());
}

TEST_F(Attempts, RunThenEnd) {
  const std::int64_t attempt = begin();
  EXPECT_EQ(status().state, StageState::running);
  store_->end_attempt({"fit-cam-0", attempt, StageState::failed, Cause::crash, "The worker died.", 11});
  EXPECT_EQ(status().state, StageState::failed);
  EXPECT_EQ(status().cause, Cause::crash);
  EXPECT_EQ(status().last_message, "The worker died.");
  EXPECT_EQ(value("SELECT exit_signal FROM v_attempts"), "11");
  EXPECT_EQ(value("SELECT log_file FROM v_attempts"), "logs/a.log");
  EXPECT_EQ(value("SELECT ended_at IS NOT NULL FROM v_attempts"), "1");
}

TEST_F(Attempts, NumbersAreNeverUsedAgain) {
  const std::int64_t first = begin();
  store_->end_attempt({"fit-cam-0", first, StageState::failed, Cause::crash, "", 9});
  const std::int64_t second = begin();
  const std::int64_t other = begin("seeds-grid");
  EXPECT_LT(first, second);
  EXPECT_LT(second, other);
  EXPECT_EQ(status().num_attempts, 2);
  EXPECT_EQ(value("SELECT group_concat(attempt) FROM v_attempts WHERE stage_key = 'fit-cam-0'"), "1,2");
}

TEST_F(Attempts, EndedAttemptsStayAsTheyEnded) {
  const std::int64_t attempt = begin();
  store_->end_attempt({"fit-cam-0", attempt, StageState::failed, Cause::out_of_memory, "first word", 9});
  store_->end_attempt({"fit-cam-0", attempt, StageState::interrupted, Cause::interrupted, "second word", 0});
  EXPECT_EQ(status().cause, Cause::out_of_memory);
  store_->take_result(done_result("seeds-grid", begin("seeds-grid")));
  const std::int64_t taken = std::stoll(value("SELECT max(id) FROM attempts"));
  store_->end_attempt({"seeds-grid", taken, StageState::failed, Cause::crash, "", 11});
  EXPECT_EQ(status("seeds-grid").state, StageState::done);
}

TEST_F(Attempts, AttemptOfAnotherStageIsNotTouched) {
  const std::int64_t attempt = begin();
  store_->end_attempt({"seeds-grid", attempt, StageState::failed, Cause::crash, "", 11});
  EXPECT_EQ(status().state, StageState::running);
}

TEST_F(Attempts, UnknownStagesAndGoodEndsAreBugs) {
  EXPECT_THAT(contract_error([&] { begin("unheard-of"); }), HasSubstr("unheard-of"));
  EXPECT_THAT(contract_error([&] { store_->forget_artefacts("unheard-of"); }), HasSubstr("unheard-of"));
  EXPECT_THAT(contract_error([&] {
                store_->end_attempt({"unheard-of", 1, StageState::failed, Cause::crash, "", 0});
              }),
              HasSubstr("unheard-of"));
  const std::int64_t attempt = begin();
  for (const StageState state : {StageState::done, StageState::running, StageState::planned}) {
    EXPECT_THAT(contract_error([&] {
                  store_->end_attempt({"fit-cam-0", attempt, state, Cause::none, "", 0});
                }),
                HasSubstr("did not end well"));
  }
}

TEST_F(Attempts, StaleOnesAreClosedAtStart) {
  begin();
  begin("seeds-grid");
  finish(*store_, "fit-cam-1");
  store_.reset();
  store_ = Store::open(folder_.file(), Access::write);
  EXPECT_EQ(store_->close_stale_attempts(), 2);
  EXPECT_EQ(store_->close_stale_attempts(), 0);
  EXPECT_EQ(status().state, StageState::interrupted);
  EXPECT_EQ(status().cause, Cause::interrupted);
  EXPECT_EQ(status("fit-cam-1").state, StageState::done);
}

TEST_F(Attempts, ResultOfAClosedAttemptStillCounts) {
  const std::int64_t attempt = begin();
  store_->close_stale_attempts();
  store_->take_result(done_result("fit-cam-0", attempt));
  EXPECT_EQ(status().state, StageState::done);
}

TEST_F(Attempts, ForgottenArtefactsAreGoneAndNumbersStay) {
  finish(*store_, "score-grid");
  ASSERT_EQ(status("score-grid").artefacts.size(), 1u);
  EXPECT_EQ(status("score-grid").artefacts[0].digest, "digest-of-score-grid");
  EXPECT_EQ(status("score-grid").seconds, 1.5);
  store_->forget_artefacts("score-grid");
  EXPECT_TRUE(status("score-grid").artefacts.empty());
  EXPECT_EQ(status("score-grid").state, StageState::done);
  EXPECT_TRUE(status("score-grid").has_result);
  EXPECT_EQ(value("SELECT count(*) > 0 FROM v_metrics WHERE stage_key = 'score-grid'"), "1");
  finish(*store_, "score-grid");
  EXPECT_EQ(status("score-grid").artefacts.size(), 1u);
}

TEST_F(Attempts, FailureAfterASuccessKeepsTheNumbers) {
  finish(*store_, "score-grid");
  store_->end_attempt({"score-grid", begin("score-grid"), StageState::failed, Cause::timeout, "slow", 0});
  EXPECT_EQ(status("score-grid").state, StageState::failed);
  EXPECT_TRUE(status("score-grid").has_result);
  EXPECT_EQ(value("SELECT count(*) > 0 FROM v_metrics WHERE stage_key = 'score-grid'"), "1");
}

TEST_F(Attempts, TogetherIsAllOrNothing) {
  EXPECT_THROW(store_->together([&] {
    finish(*store_, "fit-cam-0");
    throw std::runtime_error("half way");
  }),
               std::runtime_error);
  EXPECT_EQ(status().state, StageState::planned);
  store_->together([&] {
    finish(*store_, "fit-cam-0");
    store_->together([&] { finish(*store_, "seeds-grid"); });
    EXPECT_THROW(store_->take_result(done_result("unheard-of", 1)), UserError);
  });
  EXPECT_EQ(status().state, StageState::done);
  EXPECT_EQ(status("seeds-grid").state, StageState::done);
}

}  // namespace
}  // namespace seedbed::store::test
