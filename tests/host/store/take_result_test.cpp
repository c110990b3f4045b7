#include <cmath>
#include <limits>

#include <gtest/gtest.h>

#include "expect_error.hpp"
#include "small_study.hpp"

namespace seedbed::store::test {
namespace {
using protocol::Cause;
using protocol::StageResult;
using protocol::StageState;
using testing::HasSubstr;

class TakeResult : public testing::Test {
 protected:
  TakeResult() : store_(Store::open(folder_.file(), Access::write)) {
    const SmallStudy small = small_study();
    store_->record_study(small.study, small.stages);
  }

  std::string value(const std::string& sql) { return store_->query(sql).rows.at(0).at(0).value_or("NULL"); }
  StageResult next(const std::string& key) { return done_result(key, store_->begin_attempt(key, 1, "a.log")); }
  std::string repeatability(const std::string& key) {
    return value("SELECT repeatability FROM stages WHERE key = '" + key + "'");
  }
  std::string everything() {
    std::string counts;
    for (const char* table : {"attempts", "metrics", "curves", "curve_points", "ledger", "artefacts", "environments"}) {
      counts += value(std::string("SELECT count(*) FROM ") + table) + " ";
    }
    return counts;
  }

  TemporaryFolder folder_;
  std::unique_ptr<Store> store_;
};

TEST_F(TakeResult, HoldsEverything) {
  store_->take_result(next("score-cam-1"));
  EXPECT_EQ(value("SELECT value FROM v_metrics WHERE metric = 'iou' AND class_name = 'disc'"), "0.51");
  EXPECT_EQ(value("SELECT rule_value FROM v_metrics WHERE metric = 'miou_union' AND rule = 'fixed'"), "0.15");
  EXPECT_EQ(value("SELECT group_concat(x) FROM v_curves WHERE levels = 'method=CAM, pamr=false'"), "0.0,0.35,0.7");
  EXPECT_EQ(value("SELECT kind || images FROM v_ledger"), "masks40");
  EXPECT_EQ(value("SELECT device || threads || cpu_capability || torch || compiler || deterministic FROM v_metrics"),
            "cpu2AVX22.11.0gnu 121");
  EXPECT_EQ(value("SELECT peak_memory_bytes FROM v_attempts"), "1048576");
}

TEST_F(TakeResult, TwiceIsOnce) {
  const StageResult result = next("score-cam-1");
  store_->take_result(result);
  const std::string before = everything();
  store_->take_result(result);
  EXPECT_EQ(everything(), before);
  EXPECT_EQ(repeatability("score-cam-1"), "untried");
}

TEST_F(TakeResult, NumbersReadBackEqual) {
  StageResult result = next("score-cam-1");
  const std::vector<double> values{1.0 / 3, 0.1 + 0.2, std::nextafter(1.0, 2.0), 5e-324, 1.7976931348623157e308, -0.0};
  result.metrics.clear();
  for (std::size_t i = 0; i < values.size(); ++i) {
    result.metrics.push_back({"m" + std::to_string(i), "", values[i], "1", "seeds", "", {}});
  }
  store_->take_result(result);
  for (std::size_t i = 0; i < values.size(); ++i) {
    EXPECT_EQ(std::stod("0" + value("SELECT count(*) FROM metrics WHERE name = 'm" + std::to_string(i) + "'")), 1);
    const std::string text = value("SELECT value FROM metrics WHERE name = 'm" + std::to_string(i) + "'");
    EXPECT_EQ(std::strtod(text.c_str(), nullptr), values[i]) << text;
  }
}

TEST_F(TakeResult, UndefinedNumbersAreNull) {
  StageResult result = next("score-cam-1");
  result.metrics = {{"iou", "ghost", std::numeric_limits<double>::quiet_NaN(), "1", "seeds", "", {}}};
  store_->take_result(result);
  EXPECT_EQ(value("SELECT value FROM metrics"), "NULL");
  EXPECT_EQ(value("SELECT count(*) FROM v_seed_means"), "0");
}

TEST_F(TakeResult, FailureHoldsCauseAndHint) {
  StageResult result = next("fit-cam-0");
  result.state = StageState::failed;
  result.cause = Cause::contract_error;
  result.message = "the generator returned NaN";
  result.hint = "lower the learning rate";
  result.metrics.clear();
  store_->take_result(result);
  EXPECT_EQ(value("SELECT hint FROM v_attempts"), "lower the learning rate");
  const StageStatus status = store_->statuses({"fit-cam-0"}).at("fit-cam-0");
  EXPECT_EQ(status.state, StageState::failed);
  EXPECT_EQ(status.cause, Cause::contract_error);
  EXPECT_FALSE(status.has_result);
}

TEST_F(TakeResult, IsTheLastWordOnACrash) {
  const StageResult result = next("fit-cam-0");
  store_->end_attempt({"fit-cam-0", result.attempt, StageState::failed, Cause::crash, "died after its work", 6});
  store_->take_result(result);
  EXPECT_EQ(store_->statuses({"fit-cam-0"}).at("fit-cam-0").state, StageState::done);
}

TEST_F(TakeResult, EqualRepetitionIsSaidToBeEqual) {
  store_->take_result(next("seeds-grid"));
  StageResult again = next("seeds-grid");
  again.seconds = 99;
  store_->take_result(again);
  EXPECT_EQ(repeatability("seeds-grid"), "equal");
  EXPECT_EQ(value("SELECT count(*) FROM artefacts"), "2") << "both are kept";
  EXPECT_EQ(value("SELECT count(*) FROM artefacts WHERE NOT gone"), "1") << "on disk there is one";
}

TEST_F(TakeResult, OtherArtefactsMeanNondeterminism) {
  store_->take_result(next("seeds-grid"));
  StageResult again = next("seeds-grid");
  again.artefacts[0].digest = "another";
  store_->take_result(again);
  EXPECT_EQ(repeatability("seeds-grid"), "nondeterministic");
  EXPECT_EQ(store_->statuses({"seeds-grid"}).at("seeds-grid").artefacts.at(0).digest, "another");
  EXPECT_EQ(value("SELECT group_concat(digest) FROM (SELECT digest FROM artefacts ORDER BY digest)"),
            "another,digest-of-seeds-grid");
  store_->take_result([&] {
    StageResult third = next("seeds-grid");
    third.artefacts[0].digest = "another";
    return third;
  }());
  EXPECT_EQ(repeatability("seeds-grid"), "nondeterministic") << "one equal repetition mends nothing";
}

TEST_F(TakeResult, OtherNumbersMeanNondeterminism) {
  store_->take_result(next("score-grid"));
  StageResult again = next("score-grid");
  again.metrics[0].value += 1e-15;
  store_->take_result(again);
  EXPECT_EQ(repeatability("score-grid"), "nondeterministic");
  EXPECT_EQ(value("SELECT count(DISTINCT value) FROM v_metrics WHERE metric = 'miou_union' AND rule = 'oracle'"), "1")
      << "only the newest is shown";
}

TEST_F(TakeResult, TimesMayDiffer) {
  StageResult first = next("score-grid");
  first.metrics.push_back({"time", "", 1.0, "s", "seeds", "", {}});
  store_->take_result(first);
  StageResult again = next("score-grid");
  again.metrics.push_back({"time", "", 2.0, "s", "seeds", "", {}});
  store_->take_result(again);
  EXPECT_EQ(repeatability("score-grid"), "equal");
}

TEST_F(TakeResult, AnotherEnvironmentMayGiveOtherNumbers) {
  store_->take_result(next("seeds-grid"));
  StageResult again = next("seeds-grid");
  again.artefacts[0].digest = "another";
  again.environment["cpu_capability"] = "AVX512";
  store_->take_result(again);
  EXPECT_EQ(repeatability("seeds-grid"), "differs_by_environment");
  store_->take_result(done_result("seeds-grid", store_->begin_attempt("seeds-grid", 1, "")));
  EXPECT_EQ(repeatability("seeds-grid"), "differs_by_environment");
}

TEST_F(TakeResult, FilesThatWereNotKeptAreNotCompared) {
  StageResult streamed = next("seeds-grid");
  streamed.artefacts.clear();
  store_->take_result(streamed);
  store_->take_result(next("seeds-grid"));
  EXPECT_EQ(repeatability("seeds-grid"), "equal");
}

TEST_F(TakeResult, LateResultOfAnOlderAttemptDoesNotWin) {
  const StageResult older = next("score-grid");
  StageResult newer = next("score-grid");
  newer.metrics[0].value = 0.75;
  store_->take_result(newer);
  store_->take_result(older);
  EXPECT_EQ(value("SELECT DISTINCT value FROM v_metrics WHERE metric = 'miou_union' AND rule = 'oracle'"), "0.75");
}

TEST_F(TakeResult, ResultsOfOtherStoresAreRefused) {
  EXPECT_THAT(user_error([&] { store_->take_result(done_result("unheard-of", 1)); }),
              testing::AllOf(HasSubstr("belongs to another store"), HasSubstr("unheard-of"), HasSubstr("inbox")));
  EXPECT_THAT(user_error([&] { store_->take_result(done_result("fit-cam-0", 77)); }), HasSubstr("attempt `77`"));
  const std::int64_t attempt = store_->begin_attempt("fit-cam-1", 1, "");
  EXPECT_THAT(user_error([&] { store_->take_result(done_result("fit-cam-0", attempt)); }),
              HasSubstr("belongs to another store"));
}

TEST_F(TakeResult, BrokenResultsAreBugsAndLeaveNothing) {
  const std::string before = everything();
  StageResult result = next("score-grid");
  const std::string begun = everything();
  EXPECT_NE(before, begun);
  result.metrics.push_back(result.metrics[0]);
  EXPECT_THAT(contract_error([&] { store_->take_result(result); }), HasSubstr("UNIQUE"));
  result = done_result("score-grid", result.attempt);
  result.metrics[0].rule = "guessed";
  EXPECT_THAT(contract_error([&] { store_->take_result(result); }), HasSubstr("CHECK"));
  result = done_result("score-grid", result.attempt);
  result.curves[0].y.pop_back();
  EXPECT_THAT(contract_error([&] { store_->take_result(result); }), HasSubstr("one y for each x"));
  result = done_result("score-grid", result.attempt);
  result.state = StageState::running;
  EXPECT_THAT(contract_error([&] { store_->take_result(result); }), HasSubstr("has ended"));
  EXPECT_EQ(everything(), begun);
  store_->take_result(done_result("score-grid", result.attempt));
}

// What a failed member of a streamed group takes down with it.
TEST_F(TakeResult, AStageWhoseInputDidNotComeAboutIsSkipped) {
  StageResult result = next("score-grid");
  result.state = StageState::skipped;
  result.message = "Its input did not come about: `seeds`.";
  result.metrics.clear();
  result.curves.clear();
  result.artefacts.clear();
  store_->take_result(result);
  const StageStatus status = store_->statuses({result.key}).at(result.key);
  EXPECT_EQ(status.state, StageState::skipped);
  EXPECT_EQ(status.last_message, result.message);
  EXPECT_FALSE(status.has_result);
}

TEST_F(TakeResult, OddFactsAreHeldAsTheyAre) {
  StageResult result = next("seeds-grid");
  result.facts = {{"labels_at_inference", {{"measure", "given"}}}, {"text", "caf\xE9"}};
  result.environment = {{"device", 7}, {"threads", "many"}};
  store_->take_result(result);
  EXPECT_EQ(value("SELECT labels_at_inference FROM attempts"), "{\"measure\":\"given\"}");
  EXPECT_EQ(value("SELECT device || ifnull(threads, '?') FROM environments"), "7?");
  StageResult bare = next("seeds-cam-0");
  bare.environment = nullptr;
  bare.facts = nullptr;
  store_->take_result(bare);
  EXPECT_EQ(value("SELECT environment_id IS NULL FROM attempts ORDER BY id DESC"), "1");
}

}  // namespace
}  // namespace seedbed::store::test
