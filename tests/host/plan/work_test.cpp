#include "plan/work.hpp"

#include <gtest/gtest.h>

namespace seedbed::plan {
namespace {

using protocol::StageState;
using protocol::StageType;

// fit -> seeds -> {refined -> labels -> score, sweep, choose -> chosen labels -> score}
class WorkTest : public testing::Test {
 protected:
  WorkTest() {
    fit_ = add(StageType::fit, {});
    seeds_ = add(StageType::map, {fit_});
    refined_ = add(StageType::map, {seeds_});
    labels_ = add(StageType::map, {refined_});
    score_ = add(StageType::score, {labels_});
    sweep_ = add(StageType::score, {seeds_});
    choose_ = add(StageType::choose, {seeds_});
    chosen_labels_ = add(StageType::map, {refined_, choose_});
    chosen_score_ = add(StageType::score, {chosen_labels_, choose_});
  }

  std::size_t add(StageType type, std::vector<std::size_t> inputs) {
    PlannedStage stage;
    stage.spec.type = type;
    stage.spec.key = "key" + std::to_string(plan_.stages.size());
    stage.record.label = stage.spec.key;
    stage.inputs = std::move(inputs);
    plan_.stages.push_back(stage);
    return plan_.stages.size() - 1;
  }

  void finish(std::size_t stage, bool with_artefact) {
    store::StageStatus status;
    status.state = StageState::done;
    if (with_artefact) status.artefacts.push_back({"maps", "p", "d", 1});
    statuses_[plan_.stages[stage].spec.key] = status;
  }

  Work work() const {
    return outstanding_work(plan_, statuses_, [](const PlannedStage&, const store::StageStatus& status) {
      return !status.artefacts.empty();
    });
  }

  static std::size_t group_of(const Work& work, std::size_t stage) {
    for (std::size_t g = 0; g < work.groups.size(); ++g) {
      for (const std::size_t member : work.groups[g].stages) {
        if (member == stage) return g;
      }
    }
    return work.groups.size();
  }

  Plan plan_;
  std::map<std::string, store::StageStatus> statuses_;
  std::size_t fit_, seeds_, refined_, labels_, score_, sweep_, choose_, chosen_labels_, chosen_score_;
};

TEST_F(WorkTest, MapsStreamWithTheirReadersAndAChoiceEndsTheStream) {
  const Work work = this->work();
  ASSERT_EQ(work.groups.size(), 3u);
  EXPECT_EQ(work.groups[0].stages, std::vector<std::size_t>{fit_});
  EXPECT_EQ(group_of(work, seeds_), group_of(work, score_));
  EXPECT_EQ(group_of(work, seeds_), group_of(work, choose_));
  EXPECT_NE(group_of(work, chosen_labels_), group_of(work, choose_));
  EXPECT_EQ(work.groups[group_of(work, chosen_labels_)].after, std::vector<std::size_t>{group_of(work, seeds_)});
}

TEST_F(WorkTest, OnlyWhatALaterGroupReadsIsWritten) {
  const Work work = this->work();
  EXPECT_FALSE(work.keep[seeds_]);
  EXPECT_TRUE(work.keep[refined_]);  // the chosen labels come in a later group
  EXPECT_FALSE(work.keep[labels_]);
  EXPECT_TRUE(work.keep[fit_]);
  EXPECT_TRUE(work.keep[choose_]);
}

TEST_F(WorkTest, NothingIsLeftWhenTheScoresAreDone) {
  for (const std::size_t stage : {score_, sweep_, chosen_score_}) finish(stage, false);
  EXPECT_TRUE(work().groups.empty());
  EXPECT_EQ(work().num_reused, 3u);
}

TEST_F(WorkTest, AStreamedMapIsMadeAgainAndTheFitIsNot) {
  finish(fit_, true);
  finish(seeds_, false);
  finish(score_, false);
  finish(chosen_score_, false);
  const Work work = this->work();
  ASSERT_EQ(work.groups.size(), 1u);
  EXPECT_EQ(work.groups[0].stages, (std::vector<std::size_t>{seeds_, sweep_}));
  EXPECT_FALSE(work.needed[fit_]);
}

TEST_F(WorkTest, ALostArtefactIsMadeAgain) {
  finish(fit_, false);
  EXPECT_TRUE(work().needed[fit_]);
}

TEST_F(WorkTest, WhatTheStudyKeepsIsAGoalOfItsOwn) {
  for (const std::size_t stage : {score_, sweep_, chosen_score_}) finish(stage, false);
  finish(fit_, true);
  plan_.stages[seeds_].keep_requested = true;
  const Work work = this->work();
  ASSERT_EQ(work.groups.size(), 1u);
  EXPECT_TRUE(work.keep[seeds_]);
}

}  // namespace
}  // namespace seedbed::plan
