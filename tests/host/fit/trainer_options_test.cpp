// What a fit does beyond its plain course: validation, teachers, several streams and optimisers, lower precision.
#include <cmath>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fit/best_state.hpp"
#include "fit/checkpoint.hpp"
#include "fit/trainer.hpp"
#include "support/temp_folder.hpp"
#include "support/tensor_matchers.hpp"
#include "toy_method.hpp"

namespace seedbed::fit {
namespace {

using testing::all_close;
using ::testing::Contains;
using ::testing::ElementsAre;
using testing::equals_tensor;
using ::testing::Gt;
using ::testing::HasSubstr;
using ::testing::Key;
using ::testing::Lt;
using ::testing::Not;
using ::testing::SizeIs;

TrainSettings toy_settings(std::int64_t steps = 20) {
  TrainSettings settings;
  settings.optimiser.learning_rate = 0.05;
  settings.steps = steps;
  settings.terms["size"] = {0.01, 0, 0};
  return settings;
}

struct Fit {
  explicit Fit(TrainSettings chosen)
      : job{.student = method,
            .batches = batches,
            .run = run,
            .settings = std::move(chosen),
            .operation = "fit.toy",
            .method = "toy"} {}

  void add_teacher() { job.teacher = &teacher; }

  ToyMethod method, teacher;
  ToyBatches batches;
  ToyRun run;
  FitJob job;
};

void expect_equal(const NamedTensors& found, const NamedTensors& expected) {
  ASSERT_EQ(found.size(), expected.size());
  for (const auto& [name, tensor] : expected) EXPECT_THAT(found.at(name), equals_tensor(tensor)) << name;
}

// A metric with its best in the middle of the fit.
struct Validations {
  explicit Validations(Fit& toy) : toy_(toy) {
    toy.job.validate = [this] {
      EXPECT_FALSE(toy_.method.is_training());
      weights.push_back(toy_.method.weight.detach().clone());
      at::randn({3}, toy_.run.generator());  // what validation draws must not reach training
      at::randn({3});
      return -std::abs(toy_.batches.given - 8.0);
    };
  }

  Fit& toy_;
  std::vector<at::Tensor> weights;
};

TEST(Validation, RunsAtItsIntervalAndAtTheEnd) {
  TrainSettings settings = toy_settings();
  settings.validate_every = 8;
  Fit toy(settings);
  Validations seen(toy);
  const FitOutcome outcome = fit(toy.job);
  EXPECT_THAT(outcome.validated->course.steps, ElementsAre(8, 16, 20));
  EXPECT_THAT(outcome.validated->course.values, ElementsAre(0, -8, -12));
  EXPECT_EQ(outcome.validated->step, 20);
  EXPECT_EQ(outcome.validated->value, -12.0);
}

TEST(Validation, RunsAfterEachEpochUnlessAskedOtherwise) {
  Fit toy(toy_settings());
  Validations seen(toy);
  EXPECT_THAT(fit(toy.job).validated->course.steps, ElementsAre(5, 10, 15, 20));
}

TEST(Validation, ChangesNothingByItself) {
  Fit plain(toy_settings()), validated(toy_settings());
  Validations seen(validated);
  expect_equal(fit(validated.job).checkpoint, fit(plain.job).checkpoint);
}

TEST(Validation, TheBestStateIsKept) {
  TrainSettings settings = toy_settings();
  settings.validate_every = 4;
  settings.keeps_best = true;
  Fit toy(settings);
  Validations seen(toy);
  const FitOutcome outcome = fit(toy.job);
  EXPECT_EQ(outcome.validated->step, 8);
  EXPECT_EQ(outcome.validated->value, 0.0);
  EXPECT_THAT(outcome.checkpoint.at("weight"), equals_tensor(seen.weights.at(1)));
  EXPECT_THAT(outcome.checkpoint.at("weight"), Not(equals_tensor(seen.weights.back())));
}

TEST(Validation, OfEqualValuesTheEarliestStays) {
  ToyMethod method;
  BestState best(/*keeps_tensors=*/true);
  const at::Tensor first = method.weight.detach().clone();
  best.offer(4, 0.5, method);
  at::Tensor(method.weight.detach()).add_(1.0);
  best.offer(8, 0.5, method);
  EXPECT_EQ(best.step(), 4);
  EXPECT_THAT(best.tensors().at("weight"), equals_tensor(first));
  EXPECT_THAT(best.course().steps, ElementsAre(4.0, 8.0));
}

// The best state may lie before the kill: it is a part of the resume point.
TEST(Validation, ABestStateSurvivesAKill) {
  TrainSettings settings = toy_settings();
  settings.validate_every = 4;
  settings.keeps_best = true;
  settings.checkpoint_every = 5;
  Fit undisturbed(settings);
  Validations all(undisturbed);
  const FitOutcome expected = fit(undisturbed.job);
  const testing::TempFolder folder;
  Fit killed(settings);
  Validations before(killed);
  killed.job.resume_file = folder / "resume.safetensors";
  killed.method.nan_at = 13;  // as good as SIGKILL: nothing is written on the way out
  EXPECT_THROW(fit(killed.job), UserError);
  Fit resumed(settings);
  Validations after(resumed);
  resumed.job.resume_file = folder / "resume.safetensors";
  const FitOutcome outcome = fit(resumed.job);
  EXPECT_EQ(outcome.resumed_from_step, 10);
  EXPECT_EQ(outcome.validated->course.values, expected.validated->course.values);
  expect_equal(outcome.checkpoint, expected.checkpoint);
}

TEST(Teacher, IsHandedToTheMethodAndFollowsIt) {
  TrainSettings settings = toy_settings();
  settings.ema_decay = 0.75;
  Fit toy(settings);
  toy.add_teacher();
  const at::Tensor start = toy.method.weight.detach().clone();
  std::vector<at::Tensor> students;
  toy.method.on_step = [&](const StepRequest& request) {
    EXPECT_EQ(request.teacher, &toy.teacher);
    EXPECT_FALSE(toy.teacher.weight.requires_grad());
  };
  toy.job.on_step = [&](const auto&) { students.push_back(toy.method.weight.detach().clone()); };
  const FitOutcome outcome = fit(toy.job);
  at::Tensor expected = start;
  for (const at::Tensor& student : students) expected = 0.75 * expected + 0.25 * student;
  EXPECT_THAT(outcome.checkpoint.at("teacher/weight"), all_close(expected, 1e-6));
  EXPECT_THAT(outcome.checkpoint.at("weight"), equals_tensor(students.back()));
}

TEST(Teacher, MayBeTheFitsResult) {
  TrainSettings settings = toy_settings();
  settings.ema_decay = 0.75;
  Fit first(settings);
  first.add_teacher();
  const FitOutcome student = fit(first.job);
  settings.keeps_teacher = true;
  Fit second(settings);
  second.add_teacher();
  const FitOutcome teacher = fit(second.job);
  EXPECT_THAT(teacher.checkpoint.at("weight"), equals_tensor(student.checkpoint.at("teacher/weight")));
  EXPECT_THAT(teacher.checkpoint, Not(Contains(Key("teacher/weight"))));
  EXPECT_THAT(second.teacher.finished_images, SizeIs(3));
}

TEST(Terms, OneThatIsSwitchedOffMovesNothing) {
  TrainSettings with = toy_settings(6);
  with.terms["size"] = {0.5, 3, 0};
  TrainSettings without = with;
  without.terms["size"].weight = 0;
  const auto weights_after_each_step = [](const TrainSettings& settings) {
    Fit toy(settings);
    std::vector<at::Tensor> weights;
    toy.job.on_step = [&](const auto&) { weights.push_back(toy.method.weight.detach().clone()); };
    fit(toy.job);
    return weights;
  };
  const auto scheduled = weights_after_each_step(with);
  const auto never = weights_after_each_step(without);
  for (const std::size_t before : {0, 1, 2}) EXPECT_THAT(scheduled.at(before), equals_tensor(never.at(before)));
  for (const std::size_t after : {3, 4, 5}) EXPECT_THAT(scheduled.at(after), Not(equals_tensor(never.at(after))));
}

TEST(Terms, TheMethodIsToldTheWeightOfTheStep) {
  TrainSettings settings = toy_settings(6);
  settings.terms["size"] = {0.5, 3, 5};
  Fit toy(settings);
  std::vector<double> weights;
  toy.method.on_step = [&](const StepRequest& request) { weights.push_back(request.term_weight("size")); };
  fit(toy.job);
  EXPECT_THAT(weights, ElementsAre(0, 0, 0, 0.5, 0.5, 0));
}

TEST(Terms, AreToldAfterEachStepBeforeTheirWeights) {
  Fit toy(toy_settings(3));
  std::vector<std::map<std::string, double>> told;
  toy.job.on_step = [&](const auto& losses) { told.push_back(losses); };
  const FitOutcome outcome = fit(toy.job);
  ASSERT_THAT(told, SizeIs(3));
  EXPECT_EQ(told.back(), outcome.last_losses);
  EXPECT_EQ(told.front().at("size"), outcome.curves.at("size").values.front());
}

TEST(Terms, AMisspeltOneIsNamedAfterAnEpoch) {
  TrainSettings settings = toy_settings();
  settings.terms["sice"] = {0.5, 0, 0};
  Fit toy(settings);
  try {
    fit(toy.job);
    FAIL() << "it was taken";
  } catch (const UserError& error) {
    EXPECT_EQ(error.where(), "train.terms.sice");
    EXPECT_THAT(error.hint(), HasSubstr("`size`"));
    EXPECT_EQ(toy.run.last_progress, 5);
  }
  settings.terms["sice"].from = 1000;  // it would count in a longer fit
  Fit later(settings);
  EXPECT_NO_THROW(fit(later.job));
}

TEST(Schedules, ReachTheFitByStepAndByEpoch) {
  TrainSettings settings = toy_settings(12);
  settings.optimiser.schedule.kind = ScheduleKind::step;
  settings.optimiser.schedule.milestones = {2};
  Fit by_step(settings);
  const LossCurve steps = fit(by_step.job).learning_rates.at("main");
  EXPECT_DOUBLE_EQ(steps.values.at(1), 0.05);
  EXPECT_DOUBLE_EQ(steps.values.at(2), 0.005);
  settings.optimiser.schedule.by_epoch = true;
  Fit by_epoch(settings);
  const LossCurve epochs = fit(by_epoch.job).learning_rates.at("main");
  EXPECT_DOUBLE_EQ(epochs.values.at(9), 0.05);  // five batches an epoch
  EXPECT_DOUBLE_EQ(epochs.values.at(10), 0.005);
}

TEST(Precision, Bfloat16FitsOnTheProcessorAndKeepsItsParametersWide) {
  TrainSettings settings = toy_settings();
  settings.optimiser.learning_rate = 0.01;
  Fit wide(settings);
  settings.precision = Precision::bfloat16;
  Fit narrow(settings), again(settings);
  at::ScalarType computed_in = at::kFloat;
  narrow.method.on_output = [&](const at::Tensor& output) { computed_in = output.scalar_type(); };
  const FitOutcome outcome = fit(narrow.job);
  EXPECT_EQ(computed_in, at::kBFloat16);
  EXPECT_EQ(outcome.checkpoint.at("weight").scalar_type(), at::kFloat);
  EXPECT_THAT(outcome.curves.at("fit").values.back(), Lt(outcome.curves.at("fit").values.front()));
  const NamedTensors single = fit(wide.job).checkpoint;
  EXPECT_THAT(outcome.checkpoint.at("weight"), Not(equals_tensor(single.at("weight"))));
  EXPECT_THAT(outcome.checkpoint.at("weight"), all_close(single.at("weight"), 0.02));
  expect_equal(fit(again.job).checkpoint, outcome.checkpoint);
}

TEST(Precision, Float16OnTheProcessorIsRefused) {
  TrainSettings settings = toy_settings();
  settings.precision = Precision::float16;
  Fit toy(settings);
  EXPECT_THROW(fit(toy.job), UserError);
}

/// A generator of numbers and a critic that tells them from unlabelled ones: two streams, two optimisers.
class Adversaries : public Module, public Trainable {
 public:
  Adversaries() {
    shift = register_parameter("shift", at::zeros({1}));
    critic = register_parameter("critic", at::full({1}, 0.5));
  }
  Module& trained_module() override { return *this; }
  std::vector<ParameterGroup> parameter_groups() override {
    return {{"new", {shift}}, {"critic", {critic}, 1.0, 1.0, "adversary"}};
  }
  LossTerms training_step(const StepRequest& request) override {
    const at::Tensor labelled = request.main().images_nchw.mean();
    const ViewBatch& other = request.streams.at("unlabelled").at("strong");
    const at::Tensor made = labelled + shift;
    const at::Tensor fooled = (critic.detach() * made).squeeze().neg();
    const at::Tensor told = (critic * (made.detach() - other.images_nchw.mean())).squeeze();
    return {{"fooled", fooled}, {"told", told}};
  }
  at::Tensor shift, critic;
};

class TwoStreams : public ToyBatches {
 public:
  Streams next() override {
    Streams streams = ToyBatches::next();
    ViewBatch unlabelled;
    unlabelled.images_nchw = at::full({1, 3, 2, 2}, 4.0);
    streams["unlabelled"]["strong"] = unlabelled;
    return streams;
  }
};

TEST(Streams, ReachTheMethodByNameAndAdversariesHaveTheirOwnOptimiser) {
  TrainSettings settings = toy_settings();
  settings.terms.clear();
  settings.optimiser.momentum = 0;
  settings.optimisers["adversary"] = settings.optimiser;
  settings.optimisers["adversary"].kind = OptimiserKind::adam;
  settings.optimisers["adversary"].learning_rate = 0.01;
  settings.checkpoint_every = 6;
  const testing::TempFolder folder;
  const auto fitted = [&](std::int64_t cancel_at) {
    Adversaries method;
    TwoStreams batches;
    ToyRun run;
    run.cancel_at = cancel_at;
    return fit({.student = method,
                .batches = batches,
                .run = run,
                .settings = settings,
                .operation = "fit.adversaries",
                .method = "adversaries",
                .resume_file = cancel_at == 0 ? std::filesystem::path() : folder / "resume.safetensors"});
  };
  const FitOutcome outcome = fitted(0);
  EXPECT_THAT(outcome.checkpoint.at("shift").item<double>(), Gt(0.1));
  // Adam moves by its rate a step while the sign of the gradient stays.
  EXPECT_NEAR(outcome.checkpoint.at("critic").item<double>(), 0.5 + 20 * 0.01, 5e-3);
  EXPECT_EQ(outcome.learning_rates.at("adversary").values.front(), 0.01);
  EXPECT_EQ(outcome.learning_rates.at("main").values.front(), 0.05);
  EXPECT_THROW(fitted(9), Cancelled);
  expect_equal(fitted(-1).checkpoint, outcome.checkpoint);
}

}  // namespace
}  // namespace seedbed::fit
