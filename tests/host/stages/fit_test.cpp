// Fits as a study asks for them: validation, lower precision, streams, slots, interruptions, memory.
#include <algorithm>
#include <fstream>

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "protocol/artefact_paths.hpp"
#include "seedbed/fusion_plan.hpp"
#include "stage_requests.hpp"
#include "support/temp_folder.hpp"
#include "support/tensor_matchers.hpp"
#include "weights/safetensors.hpp"

namespace seedbed::stages {
namespace {

using protocol::Cause;
using protocol::StageResult;
using protocol::StageState;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsSupersetOf;
using ::testing::Key;
using ::testing::Not;
using ::testing::SizeIs;
using testing::TempFolder;

// The fixture that asks for everything, with PAMR in its slot.
StageSpec fit_learner(const Json& train = Json::object(), const std::string& id = "fixture.learner") {
  StageSpec spec = fit_cam();
  spec.methods["generator"] = fixture("training", id);
  if (id == "fixture.learner") {
    spec.methods["generator"].uses["label_refiner"] = builtin("pamr", "pamr", {{"iterations", 1}, {"dilations", {1}}});
  }
  spec.settings = train_table({{"epochs", 3}, {"learning_rate", 0.01}, {"ema_decay", 0.8}, {"ema_warmup", true}});
  spec.settings.update(train);
  return spec;
}

Json validate_table(const std::string& metric, std::int64_t every = 0) {
  return {{"every", every}, {"metric", metric},  {"scales", {1.0}},
          {"flip", false},  {"input", "native"}, {"fusion", to_strings(named_fusion_plan("plain"))}};
}

StageSpec validated(StageSpec fit, const std::string& metric, std::int64_t every = 0) {
  fit.settings["validate"] = validate_table(metric, every);
  fit.other_images["validate"] = {"select", scene_ids(20, 26)};
  return fit;
}

StageResult done(const TempFolder& folder, const StageSpec& fit) {
  const Recorder recorder = run(request(folder.path(), {fit}));
  EXPECT_EQ(recorder.of(fit).state, StageState::done) << recorder.of(fit).message << recorder.log_text;
  return recorder.of(fit);
}

std::string digest_of(const StageResult& result) { return result.artefacts.at(0).digest; }

const protocol::Curve& curve(const StageResult& result, const std::string& name) {
  const auto found = std::ranges::find(result.curves, name, &protocol::Curve::name);
  if (found == result.curves.end()) throw std::runtime_error("no curve " + name);
  return *found;
}

std::shared_ptr<const weights::SafetensorsFile> checkpoint_of(const TempFolder& folder, const StageSpec& fit) {
  return weights::SafetensorsFile::open(folder.path() / "artefacts" / protocol::stage_folder(fit.key) /
                                        "checkpoint.safetensors");
}

std::vector<std::string> curve_names(const StageResult& result) {
  std::vector<std::string> names;
  for (const protocol::Curve& each : result.curves) names.push_back(each.name);
  return names;
}

TEST(Fit, TermsAndRatesAreLoggedAndToldWhileItRuns) {
  const TempFolder folder;
  StageSpec fit = fit_learner({{"schedule", "step"}, {"milestones", {5}}});
  fit.settings["optimisers"]["adversary"] = {{"optimiser", "adam"}, {"learning_rate", 0.002}, {"schedule", "constant"}};
  fit.settings["terms"]["consistency"] = {{"weight", 0.5}, {"from", 2}, {"to", 0}};
  const Recorder recorder = run(request(folder.path(), {fit}));
  const StageResult& result = recorder.of(fit);
  ASSERT_EQ(result.state, StageState::done) << result.message;
  EXPECT_THAT(curve_names(result),
              IsSupersetOf({"loss.classification", "loss.remembered", "loss.critic", "loss.consistency", "loss.refined",
                            "learning_rate", "learning_rate.adversary"}));
  EXPECT_THAT(recorder.losses_told, SizeIs(9));
  EXPECT_EQ(recorder.losses_told.back().at("critic"), metric(result, "loss", "", "critic"));
  EXPECT_DOUBLE_EQ(curve(result, "learning_rate").y.front(), 0.01);
  EXPECT_DOUBLE_EQ(curve(result, "learning_rate").y.back(), 0.001);
  EXPECT_DOUBLE_EQ(curve(result, "learning_rate.adversary").y.back(), 0.002);
}

TEST(Fit, AValidationIsACurveAMetricAndAnEntryOfTheLedger) {
  const TempFolder folder;
  const StageSpec fit = validated(fit_cam(), "map_macro");
  const StageResult result = done(folder, fit);
  EXPECT_THAT(curve(result, "map_macro").x, ElementsAre(3, 6));
  EXPECT_EQ(curve(result, "map_macro").target, "validation");
  EXPECT_EQ(metric(result, "map_macro"), curve(result, "map_macro").y.back());
  EXPECT_GT(metric(result, "map_macro"), 0.0);
  EXPECT_EQ(result.facts.at("validated_on"), "select");
  EXPECT_THAT(
      result.ledger,
      Contains(AllOf(Field(&protocol::LedgerEntry::kind, "image_labels"), Field(&protocol::LedgerEntry::role, "select"),
                     Field(&protocol::LedgerEntry::purpose, "validate"), Field(&protocol::LedgerEntry::images, 6))));
  EXPECT_THAT(result.ledger, Not(Contains(Field(&protocol::LedgerEntry::kind, "masks"))));
  // It is watched, not used.
  const TempFolder plain;
  EXPECT_EQ(digest_of(result), digest_of(done(plain, fit_cam())));
}

TEST(Fit, SeedsAreValidatedAtTheirBestThreshold) {
  const TempFolder folder;
  const StageSpec fit = validated(fit_cam({{"checkpoint", "best"}}), "miou_union", 2);
  const StageResult result = done(folder, fit);
  EXPECT_THAT(curve(result, "miou_union").x, ElementsAre(2, 4, 6));
  const double best = *std::ranges::max_element(curve(result, "miou_union").y);
  EXPECT_EQ(metric(result, "miou_union", "chosen"), best);
  EXPECT_THAT(result.ledger, Contains(AllOf(Field(&protocol::LedgerEntry::kind, "masks"),
                                            Field(&protocol::LedgerEntry::role, "select"),
                                            Field(&protocol::LedgerEntry::purpose, "choose"))));
  // The number is that of a sweep over the seeds of the checkpoint that was kept.
  StageSpec seeds = cam_seeds("measure", 20, 26);
  seeds.settings = {{"scales", {1.0}},
                    {"flip", false},
                    {"input", "native"},
                    {"labels", "given"},
                    {"fusion", to_strings(named_fusion_plan("plain"))}};
  const StageSpec sweep = sweep_of(seeds);
  const Recorder scored = run(request(folder.path(), {seeds, sweep}));
  EXPECT_DOUBLE_EQ(metric(scored.of(sweep), "miou_union", "oracle"), best);
}

TEST(Fit, ASegmenterIsValidatedByItsLabels) {
  const TempFolder folder;
  StageSpec fit = stage(StageType::fit, "segmenter", "fit segmenter", scene_ids(0, 12));
  fit.methods = {{"backbone", builtin("small_cnn", "small_cnn", {{"width", 8}})},
                 {"head", builtin("linear", "linear")},
                 {"strategy", builtin("supervised", "supervised")},
                 {"loss.ce", builtin("cross_entropy", "cross_entropy")}};
  fit.settings =
      train_table({{"label_source", "masks"}, {"losses", {{{"name", "ce"}, {"weight", 1.0}}}}, {"checkpoint", "best"}});
  fit.random_seed = 0;
  const StageResult result = done(folder, validated(fit, "miou_union", 1));
  EXPECT_THAT(curve(result, "miou_union").x, SizeIs(6));
  EXPECT_EQ(metric(result, "miou_union", "chosen"), *std::ranges::max_element(curve(result, "miou_union").y));
}

TEST(Fit, AGeneratorWithoutScoresCannotBeValidatedByThem) {
  const TempFolder folder;
  StageSpec fit = validated(fit_cam(), "map_micro");
  const Recorder recorder = run(request(folder.path(), {fit}));
  EXPECT_EQ(recorder.of(fit).cause, Cause::contract_error);
  EXPECT_THAT(recorder.of(fit).message, HasSubstr("`validate.metric` is a declared choice"));
}

TEST(Fit, TheTeacherMayBeWhatIsKept) {
  const TempFolder student_folder, teacher_folder;
  const StageSpec student = fit_learner();
  const StageSpec teacher = fit_learner({{"checkpoint_of", "teacher"}});
  done(student_folder, student);
  done(teacher_folder, teacher);
  const auto of_student = checkpoint_of(student_folder, student);
  const auto of_teacher = checkpoint_of(teacher_folder, teacher);
  EXPECT_THAT(of_teacher->tensor("classifier.weight"),
              testing::equals_tensor(of_student->tensor("teacher/classifier.weight")));
  EXPECT_FALSE(of_teacher->contains("teacher/classifier.weight"));
}

TEST(Fit, ASlotReachesTheMethod) {
  const TempFolder with, without;
  StageSpec empty = fit_learner();
  empty.methods["generator"].uses.clear();
  EXPECT_THAT(curve_names(done(with, fit_learner())), Contains("loss.refined"));
  EXPECT_THAT(curve_names(done(without, empty)), Not(Contains("loss.refined")));
}

TEST(Fit, UnlabelledImagesComeAsAStreamOfTheirOwn) {
  const TempFolder folder;
  StageSpec fit = fit_learner({{"ema_decay", 0.0}}, "fixture.two_streams");
  fit.settings["streams"]["unlabelled"] = {{"batch_size", 5}, {"input", "square:32"}, {"augment", {"flip"}}};
  fit.other_images["stream:unlabelled"] = {"extra", scene_ids(12, 20)};
  const StageResult result = done(folder, fit);
  EXPECT_THAT(curve_names(result), Contains("loss.unlabelled"));
  EXPECT_THAT(result.ledger,
              Contains(AllOf(Field(&protocol::LedgerEntry::kind, "images"),
                             Field(&protocol::LedgerEntry::role, "extra"), Field(&protocol::LedgerEntry::images, 8))));
  EXPECT_THAT(result.ledger, Not(Contains(AllOf(Field(&protocol::LedgerEntry::kind, "image_labels"),
                                                Field(&protocol::LedgerEntry::role, "extra")))));
}

TEST(Fit, LowerPrecisionIsRepeatableAndTheCheckpointStaysWide) {
  const TempFolder first, second, wide;
  const StageSpec fit = fit_cam({{"precision", "bfloat16"}});
  const StageResult result = done(first, fit);
  EXPECT_EQ(digest_of(result), digest_of(done(second, fit)));
  EXPECT_NE(digest_of(result), digest_of(done(wide, fit_cam())));
  EXPECT_EQ(checkpoint_of(first, fit)->tensor("classifier.weight").scalar_type(), at::kFloat);
}

TEST(Fit, Float16OnTheProcessorFailsInWords) {
  const TempFolder folder;
  const StageSpec fit = fit_cam({{"precision", "float16"}});
  const Recorder recorder = run(request(folder.path(), {fit}));
  EXPECT_EQ(recorder.of(fit).cause, Cause::user_error);
  EXPECT_THAT(recorder.of(fit).message, HasSubstr("needs a GPU"));
}

// Stored statistics stay as they were; scales and shifts are frozen by their group's rate.
TEST(Fit, BatchNormCanBeFrozen) {
  const TempFolder frozen_folder, batch_folder;
  const auto fitted = [](const TempFolder& folder, const char* statistics, double norm_rate) {
    StageSpec fit = fit_cam();
    fit.methods["backbone"].parameters["norm"] = "batch";
    fit.methods["generator"].parameters["batch_norm"] = statistics;
    fit.settings["groups"]["pretrained_norm"] = {{"learning_rate_factor", norm_rate}};
    done(folder, fit);
    return checkpoint_of(folder, fit);
  };
  const auto frozen = fitted(frozen_folder, "running", 0.0);
  const auto trained = fitted(batch_folder, "batch", 1.0);
  int statistics = 0;
  for (const auto& entry : frozen->entries()) {
    if (!entry.name.ends_with("running_mean")) continue;
    ++statistics;
    const std::string norm = entry.name.substr(0, entry.name.rfind('.'));
    EXPECT_TRUE(frozen->tensor(entry.name).eq(0).all().item<bool>()) << entry.name;
    EXPECT_TRUE(frozen->tensor(norm + ".weight").eq(1).all().item<bool>()) << norm;
    EXPECT_FALSE(trained->tensor(entry.name).eq(0).all().item<bool>()) << entry.name;
    EXPECT_FALSE(trained->tensor(norm + ".weight").eq(1).all().item<bool>()) << norm;
  }
  EXPECT_GT(statistics, 0);
}

// Everything that a fit can hold is in its resume point: both optimisers, teacher, map stores, best state, counts.
TEST(Fit, OneThatIsStoppedEndsBitEqualWhateverItHolds) {
  Json train{{"accumulate", 2}, {"epochs", 4}, {"checkpoint", "best"}};
  train["optimisers"]["adversary"] = {{"optimiser", "adam"}, {"learning_rate", 0.002}};
  const StageSpec fit = validated(fit_learner(train), "map_macro", 2);
  const TempFolder undisturbed;
  const StageResult expected = done(undisturbed, fit);
  for (const std::int64_t stopped_at : {1, 3, 5}) {
    SCOPED_TRACE(stopped_at);
    const TempFolder folder;
    Recorder stop;
    stop.cancel_at = stopped_at;
    EXPECT_EQ(run(request(folder.path(), {fit}), stop).of(fit).state, StageState::interrupted);
    const StageResult resumed = done(folder, fit);
    EXPECT_EQ(resumed.facts.at("resumed_from_step"), stopped_at);
    EXPECT_EQ(digest_of(resumed), digest_of(expected));
    EXPECT_EQ(Json(resumed.ledger), Json(expected.ledger));
    EXPECT_EQ(Json(resumed.curves), Json(expected.curves));
    EXPECT_EQ(Json(resumed.metrics), Json(expected.metrics));
  }
  const auto checkpoint = checkpoint_of(undisturbed, fit);
  EXPECT_TRUE(checkpoint->contains("store/logits/scene-00003"));
  EXPECT_TRUE(checkpoint->contains("store/means/scene-00003"));
}

// Anonymous memory of this process, in kB.
std::int64_t anonymous_memory_kb() {
  std::ifstream status("/proc/self/smaps_rollup");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("Anonymous:")) return std::stoll(line.substr(10));
  }
  return 0;
}

// What the process grows by between steps 50 and 200, in kB.
std::int64_t growth_kb(const StageSpec& fit) {
  const TempFolder folder;
  std::int64_t at_step_50 = 0, at_step_200 = 0;
  Recorder watch;
  watch.on_progress = [&](std::int64_t done) {
    if (done == 50) at_step_50 = anonymous_memory_kb();
    if (done == 200) at_step_200 = anonymous_memory_kb();
  };
  const Recorder recorder = run(request(folder.path(), {fit}), watch);
  EXPECT_EQ(recorder.of(fit).state, StageState::done) << recorder.of(fit).message;
  return at_step_200 - at_step_50;
}

constexpr std::int64_t kMostGrowthKb = 4096;

TEST(FitMemory, NoGraphIsHeldBetweenSteps) {
  EXPECT_LE(growth_kb(fit_cam({{"epochs", 0}, {"steps", 200}, {"ema_decay", 0.9}, {"accumulate", 2}})), kMostGrowthKb);
}

TEST(FitMemory, NoneIsHeldInLowerPrecisionEither) {
  EXPECT_LE(growth_kb(fit_cam({{"epochs", 0}, {"steps", 200}, {"precision", "bfloat16"}})), kMostGrowthKb);
}

TEST(FitMemory, AHeldGraphWouldBeSeen) {
  StageSpec fit = fit_learner({{"epochs", 0}, {"steps", 200}, {"ema_decay", 0.0}});
  fit.methods["generator"].uses.clear();
  EXPECT_LE(growth_kb(fit), kMostGrowthKb);
  fit.methods["generator"].parameters["hold_graphs"] = true;
  EXPECT_GT(growth_kb(fit), kMostGrowthKb);
}

}  // namespace
}  // namespace seedbed::stages
