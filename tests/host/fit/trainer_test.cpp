#include "fit/trainer.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fit/checkpoint.hpp"
#include "support/temp_folder.hpp"
#include "support/tensor_matchers.hpp"
#include "toy_method.hpp"

namespace seedbed::fit {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using testing::equals_tensor;
using ::testing::HasSubstr;
using ::testing::Key;
using ::testing::SizeIs;

TrainSettings toy_settings() {
  TrainSettings settings;
  settings.optimiser.learning_rate = 0.05;
  settings.optimiser.weight_decay = 1e-3;
  settings.optimiser.schedule.kind = ScheduleKind::poly;
  settings.steps = 23;
  settings.terms["size"] = {0.01, 0, 0};
  return settings;
}

struct Fit {
  explicit Fit(TrainSettings chosen = toy_settings(), std::filesystem::path resume = {})
      : job{.student = method,
            .batches = batches,
            .run = run,
            .settings = std::move(chosen),
            .random_seed = 3,
            .operation = "fit.toy",
            .method = "toy",
            .resume_file = std::move(resume)} {}

  ToyMethod method;
  ToyBatches batches;
  ToyRun run;
  FitJob job;
};

void expect_equal(const NamedTensors& found, const NamedTensors& expected) {
  ASSERT_EQ(found.size(), expected.size());
  for (const auto& [name, tensor] : expected) {
    SCOPED_TRACE(name);
    EXPECT_THAT(found.at(name), equals_tensor(tensor));
  }
}

TEST(Trainer, LearnsAndReports) {
  Fit toy;
  const FitOutcome outcome = fit(toy.job);
  EXPECT_EQ(outcome.steps, 23);
  EXPECT_EQ(outcome.epochs, 5);
  EXPECT_EQ(outcome.parameters_trained, 13);
  EXPECT_EQ(toy.run.last_progress, 23);
  EXPECT_LT(outcome.curves.at("fit").values.back(), outcome.curves.at("fit").values.front());
  EXPECT_THAT(outcome.curves.at("fit").steps, SizeIs(23));
  EXPECT_THAT(toy.method.epochs, ElementsAre(0, 1, 2, 3, 4));
  EXPECT_THAT(toy.method.finished_images, ElementsAre("image0", "image1", "image2"));
  EXPECT_THAT(outcome.checkpoint, Contains(Key("store/labels/epoch4")));
  EXPECT_THAT(module_part(outcome.checkpoint), SizeIs(4));
}

TEST(Trainer, SameSeedSameBits) {
  Fit first, second;
  expect_equal(fit(second.job).checkpoint, fit(first.job).checkpoint);
}

TEST(Trainer, OtherSeedOtherNumbers) {
  Fit first, second;
  second.job.random_seed = 4;
  EXPECT_FALSE(at::equal(fit(first.job).checkpoint.at("weight"), fit(second.job).checkpoint.at("weight")));
}

TEST(Trainer, LeavesProcessWideGeneratorsAlone) {
  const at::Tensor before = at::detail::getDefaultCPUGenerator().get_state();
  Fit toy;
  fit(toy.job);
  EXPECT_THAT(at::detail::getDefaultCPUGenerator().get_state(), equals_tensor(before));
}

// Killed after any step and resumed: the checkpoint and the curves equal those of a fit that was not.
class ResumedFit : public ::testing::TestWithParam<OptimiserKind> {};

TEST_P(ResumedFit, EndsBitEqual) {
  TrainSettings settings = toy_settings();
  settings.optimiser.kind = GetParam();
  settings.checkpoint_every = 4;
  settings.ema_decay = 0.9;
  settings.ema_warmup = true;
  settings.accumulate = 2;
  Fit undisturbed(settings);
  ToyMethod undisturbed_teacher;
  undisturbed.job.teacher = &undisturbed_teacher;
  const FitOutcome expected = fit(undisturbed.job);
  for (const std::int64_t cancel_at : {1, 4, 7, 22}) {
    SCOPED_TRACE(cancel_at);
    const testing::TempFolder folder;
    {
      Fit killed(settings, folder / "resume.safetensors");
      ToyMethod teacher;
      killed.job.teacher = &teacher;
      killed.run.cancel_at = cancel_at;
      EXPECT_THROW(fit(killed.job), Cancelled);
    }
    Fit resumed(settings, folder / "resume.safetensors");
    ToyMethod teacher;
    resumed.job.teacher = &teacher;
    const FitOutcome outcome = fit(resumed.job);
    EXPECT_EQ(outcome.resumed_from_step, cancel_at);
    expect_equal(outcome.checkpoint, expected.checkpoint);
    EXPECT_EQ(outcome.curves.at("fit").values, expected.curves.at("fit").values);
    EXPECT_EQ(outcome.learning_rates.at("main").values, expected.learning_rates.at("main").values);
    EXPECT_EQ(resumed.batches.given, undisturbed.batches.given) << "what was counted before the kill counts";
  }
}

INSTANTIATE_TEST_SUITE_P(Optimisers, ResumedFit,
                         ::testing::Values(OptimiserKind::sgd, OptimiserKind::adam, OptimiserKind::adamw,
                                           OptimiserKind::sgd_poly_released));

TEST(Trainer, AHardKillGoesOnFromTheLastPoint) {
  TrainSettings settings = toy_settings();
  settings.checkpoint_every = 4;
  const testing::TempFolder folder;
  Fit killed(settings, folder / "resume.safetensors");
  killed.method.nan_at = 10;  // as good as SIGKILL: nothing is written on the way out
  EXPECT_THROW(fit(killed.job), UserError);
  Fit resumed(settings, folder / "resume.safetensors");
  const FitOutcome outcome = fit(resumed.job);
  EXPECT_EQ(outcome.resumed_from_step, 8);
  Fit undisturbed(settings);
  expect_equal(outcome.checkpoint, fit(undisturbed.job).checkpoint);
}

TEST(Trainer, NamesTheFirstBadTermAndStep) {
  Fit toy;
  toy.method.nan_at = 6;
  try {
    fit(toy.job);
    FAIL() << "a NaN was taken";
  } catch (const UserError& error) {
    EXPECT_THAT(error.message(), HasSubstr("A loss term is not finite: `fit` is `nan` at step `6`."));
    EXPECT_THAT(error.hint(), HasSubstr("learning_rate"));
  }
}

TEST(Trainer, ADamagedResumePointIsNamed) {
  const testing::TempFolder folder;
  const auto file = folder.write("resume.safetensors", "no tensors");
  Fit toy(toy_settings(), file);
  try {
    fit(toy.job);
    FAIL() << "a damaged file was taken";
  } catch (const UserError& error) {
    EXPECT_THAT(error.where(), HasSubstr("resume.safetensors"));
  }
}

// Two batches of accumulation are one step on their mean gradient.
TEST(Trainer, AccumulatesBatches) {
  TrainSettings settings = toy_settings();
  settings.steps = 0;
  settings.epochs = 4;
  settings.accumulate = 2;
  Fit toy(settings);
  const FitOutcome outcome = fit(toy.job);
  EXPECT_EQ(outcome.steps, 10);
  EXPECT_EQ(toy.method.seen.item<float>(), 20.0f);
}

TEST(Trainer, CollectsBeforeTheFirstStep) {
  Fit toy;
  toy.job.collects = true;
  fit(toy.job);
  EXPECT_EQ(toy.method.collected.item<float>(), 3.0f);
}

TEST(Trainer, TermsFollowTheirSchedule) {
  TrainSettings settings = toy_settings();
  settings.terms["size"] = {0.5, 3, 5};
  EXPECT_EQ(term_weight(settings, "size", 2), 0.0);
  EXPECT_EQ(term_weight(settings, "size", 3), 0.5);
  EXPECT_EQ(term_weight(settings, "size", 4), 0.5);
  EXPECT_EQ(term_weight(settings, "size", 5), 0.0);
  EXPECT_EQ(term_weight(settings, "fit", 5), 1.0);
}

}  // namespace
}  // namespace seedbed::fit
