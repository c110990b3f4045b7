// What a method that breaks its promises does to its stage, and to nothing else.
#include <cfenv>

#include <ATen/Parallel.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "stage_requests.hpp"
#include "support/temp_folder.hpp"

namespace seedbed::stages {
namespace {

using protocol::Cause;
using protocol::StageState;
using ::testing::Contains;
using ::testing::HasSubstr;
using testing::TempFolder;

struct Misdeed {
  const char* method;
  Cause cause;
  const char* message;
};

void PrintTo(const Misdeed& misdeed, std::ostream* stream) { *stream << misdeed.method; }

class MisbehavingRefiner : public ::testing::TestWithParam<Misdeed> {};

TEST_P(MisbehavingRefiner, FailsItsStageInWords) {
  const TempFolder folder;
  const StageSpec seeds = cam_seeds("measure", 0, 3, false);
  const StageSpec refined = refined_by(fixture("misbehaving", GetParam().method), seeds);
  const StageSpec sweep = sweep_of(refined);
  const StageSpec other = sweep_of(seeds);
  const Recorder recorder = run(request(folder.path(), {seeds, refined, sweep, other}));
  EXPECT_EQ(recorder.of(refined).state, StageState::failed);
  EXPECT_EQ(recorder.of(refined).cause, GetParam().cause) << recorder.of(refined).message;
  EXPECT_THAT(recorder.of(refined).message, HasSubstr(GetParam().message));
  EXPECT_THAT(recorder.of(refined).message, Not(HasSubstr("\n")));
  EXPECT_EQ(recorder.of(sweep).state, StageState::skipped);
  EXPECT_EQ(recorder.of(seeds).state, StageState::done);
  EXPECT_EQ(recorder.of(other).state, StageState::done);
}

INSTANTIATE_TEST_SUITE_P(
    Promises, MisbehavingRefiner,
    ::testing::Values(Misdeed{"fixture.wrong_shape", Cause::contract_error, "`fixture.wrong_shape` broke a promise"},
                      Misdeed{"fixture.nan", Cause::contract_error, "scores_nphw is finite; expected finite values"},
                      Misdeed{"fixture.scribbles", Cause::contract_error, "a request's tensors are left unchanged"},
                      Misdeed{"fixture.labels", Cause::contract_error, "a refiner gives what it declares"},
                      Misdeed{"fixture.null", Cause::contract_error, "a factory gives a method"},
                      Misdeed{"fixture.throws_torch", Cause::contract_error,
                              "`fixture.throws_torch` failed inside LibTorch"},
                      Misdeed{"fixture.throws_int", Cause::contract_error, "threw something that is no std::exception"},
                      Misdeed{"fixture.hungry", Cause::out_of_memory, "The memory does not suffice"}),
    [](const auto& misdeed) { return std::string(misdeed.param.method).substr(8); });

TEST(MisbehavingMethods, WhatItLeavesChangedIsPutBackAndTold) {
  const TempFolder folder;
  const int threads = at::get_num_threads();
  const StageSpec seeds = cam_seeds("measure", 0, 3, false);
  const StageSpec refined = refined_by(fixture("misbehaving", "fixture.leaves_state"), seeds);
  const Recorder recorder = run(request(folder.path(), {seeds, refined}));
  EXPECT_EQ(recorder.of(refined).state, StageState::done);
  const auto changes = recorder.of(refined).facts.at("state_changed").get<std::vector<std::string>>();
  EXPECT_THAT(changes, Contains(HasSubstr("the locale")));
  EXPECT_THAT(changes, Contains(HasSubstr("the floating-point mode")));
  EXPECT_THAT(changes, Contains(HasSubstr("LibTorch's thread count")));
  EXPECT_FALSE(recorder.of(seeds).facts.contains("state_changed"));
  EXPECT_EQ(at::get_num_threads(), threads);
  EXPECT_EQ(std::fegetround(), FE_TONEAREST);
  EXPECT_THAT(recorder.log_text, HasSubstr("`fixture.leaves_state` changed the locale"));
}

// A method that draws from the process-wide generator gets the same numbers in any order and company.
TEST(MisbehavingMethods, WhatItDrawsDependsOnTheImageAlone) {
  const TempFolder all, some;
  StageSpec seeds = cam_seeds("measure", 0, 4, false);
  StageSpec draws = refined_by(fixture("misbehaving", "fixture.draws"), seeds);
  StageSpec sweep = sweep_of(draws);
  sweep.image_ids = scene_ids(3, 4);
  const Recorder first = run(request(all.path(), {seeds, draws, sweep}));
  seeds.image_ids = draws.image_ids = scene_ids(3, 4);
  const Recorder second = run(request(some.path(), {seeds, draws, sweep}));
  EXPECT_EQ(first.of(sweep).artefacts.at(0).digest, second.of(sweep).artefacts.at(0).digest);
}

}  // namespace
}  // namespace seedbed::stages
