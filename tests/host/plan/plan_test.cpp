#include "plan/plan.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>

#include <gtest/gtest.h>
#include <unistd.h>

#include "seedbed/error.hpp"

namespace seedbed::plan {
namespace {

namespace fs = std::filesystem;

MethodManifest method(std::string id, MethodKind kind, std::set<std::string> traits = {}) {
  MethodManifest manifest;
  manifest.id = std::move(id);
  manifest.kind = kind;
  manifest.traits = std::move(traits);
  manifest.gives.background = "same";
  ParameterSpec spec;
  spec.name = "strength";
  spec.type = ParameterType::number;
  spec.default_value = 1.0;
  manifest.parameters = {spec};
  return manifest;
}

MethodManifest crf() {
  MethodManifest manifest = method("crf", MethodKind::refiner);
  manifest.gives = {"scores", "present", "probability"};
  return manifest;
}

MethodManifest affinity() {
  MethodManifest manifest = method("affinity", MethodKind::refiner, {"trains"});
  manifest.needs = {"maps", "maps:low", "labels:sure"};
  return manifest;
}

Json resolved_method(const char* kind, const char* id, double strength = 1.0) {
  return {{"kind", kind},
          {"method", id},
          {"preset", ""},
          {"parameters", {{"strength", strength}}},
          {"files", Json::object()},
          {"uses", Json::object()},
          {"strict", true}};
}

class PlanTest : public testing::Test {
 protected:
  PlanTest() {
    // A catalogue without files names libraries by relative paths; their digests need the files.
    fs::create_directories(folder_);
    fs::current_path(folder_);
    std::ofstream("toy.so") << "library";
    PluginManifest plugin;
    plugin.name = "toy";
    plugin.methods = {method("net", MethodKind::backbone),
                      method("cam", MethodKind::seed_generator, {"trains"}),
                      method("smooth", MethodKind::refiner),
                      method("walk", MethodKind::refiner, {"trains"}),
                      affinity(),
                      crf(),
                      method("ce", MethodKind::loss),
                      method("linear", MethodKind::segmentation_head),
                      method("supervised", MethodKind::training_strategy, {"trains"})};
    catalogue_ = std::make_unique<manifest::Catalogue>(manifest::Catalogue::of({plugin}));
  }
  ~PlanTest() override {
    fs::current_path(before_);
    fs::remove_all(folder_);
  }

  static Json cell() {
    Json cell{
        {"schema", 1},
        {"dataset",
         {{"kind", "scenes"},
          {"roles", {{"train", "0..8"}, {"measure", "0..4"}, {"select", "8..10"}, {"test", "10..14"}}}}},
        {"execution", {{"device", "cpu"}, {"threads", 1}, {"deterministic", true}, {"key_policy", "revision"}}},
        {"backbone", resolved_method("backbone", "net")},
        {"seed_generator", resolved_method("seed_generator", "cam")},
        {"refiners", Json::array()},
        {"score",
         {{"targets", {"seeds"}}, {"roles", {"measure"}}, {"predictions", Json::array()}, {"void", "background"}}}};
    cell["seed_generator"]["train"] = {{"epochs", 2}};
    cell["seed_generator"]["localise"] = {{"scales", {1.0}}, {"flip", false}, {"labels", "given"}};
    return cell;
  }

  static Json refiner(double strength) {
    Json entry = resolved_method("refiner", "smooth", strength);
    entry["name"] = "smooth";
    entry["inputs"] = {"main"};
    return entry;
  }

  Plan plan(std::vector<Json> cells, std::vector<std::int64_t> seeds = {0}) const {
    study::Study study;
    study.name = "test";
    study.random_seeds = std::move(seeds);
    for (Json& cell : cells) study.cells.push_back({{}, {}, std::move(cell)});
    return make_plan(study, *catalogue_);
  }

  static std::size_t count(const Plan& plan, std::string_view operation) {
    return static_cast<std::size_t>(std::count_if(
        plan.stages.begin(), plan.stages.end(), [&](const auto& stage) { return stage.spec.operation == operation; }));
  }

  static std::set<std::string> keys(const Plan& plan) {
    std::set<std::string> keys;
    for (const PlannedStage& stage : plan.stages) keys.insert(stage.spec.key);
    return keys;
  }

  const fs::path before_ = fs::current_path();
  const fs::path folder_ = fs::temp_directory_path() / ("seedbed-plan-" + std::to_string(::getpid()));
  std::unique_ptr<manifest::Catalogue> catalogue_;
};

TEST_F(PlanTest, CellsShareTheirCommonPrefix) {
  std::vector<Json> cells;
  for (const double strength : {0.5, 1.0, 1.5, 2.0}) {
    cells.push_back(cell());
    cells.back()["refiners"].push_back(refiner(strength));
    cells.back()["score"]["targets"] = {"seeds", "pseudo_labels"};
  }
  const Plan plan = this->plan(cells, {0, 1, 2});
  EXPECT_EQ(count(plan, "seed_generator"), 3u);
  EXPECT_EQ(count(plan, "seeds"), 3u);
  EXPECT_EQ(count(plan, "refine"), 12u);
  EXPECT_EQ(plan.study.cells.size(), 12u);
}

TEST_F(PlanTest, AMetricGoesToTheTargetsThatCanHaveIt) {
  Json cell = this->cell();
  cell["score"]["metrics"] = {"miou_truth", "pointing_15px", "max_box_acc"};
  const Plan plan = this->plan({cell});
  const auto of = [&](const char* operation) -> const PlannedStage& {
    return *std::find_if(plan.stages.begin(), plan.stages.end(),
                         [&](const PlannedStage& stage) { return stage.spec.operation == operation; });
  };
  EXPECT_EQ(of("sweep").spec.settings.at("metrics"), Json({"miou_truth"}));
  EXPECT_EQ(of("maps").spec.settings.at("metrics"), Json({"pointing_15px", "max_box_acc"}));
  EXPECT_TRUE(of("maps").record.key_parts.at("images").contains("instances"));
  EXPECT_FALSE(of("maps").record.key_parts.at("images").contains("boxes"));
  EXPECT_EQ(plan.stages[of("maps").inputs.at(0)].spec.operation, "seeds");
  cell["score"]["metrics"] = {"max_box_acc_annotated"};
  const Plan annotated = this->plan({cell});
  const auto maps = std::find_if(annotated.stages.begin(), annotated.stages.end(),
                                 [](const PlannedStage& stage) { return stage.spec.operation == "maps"; });
  ASSERT_NE(maps, annotated.stages.end());
  EXPECT_TRUE(maps->record.key_parts.at("images").contains("boxes"));
  EXPECT_FALSE(maps->record.key_parts.at("images").contains("instances"));
  cell["score"].erase("metrics");
  const Plan plain = this->plan({cell});
  EXPECT_EQ(count(plain, "maps"), 0u);
  EXPECT_NE(keys(plain), keys(plan));
}

TEST_F(PlanTest, AMetricThatNoTargetCanHaveIsRefused) {
  Json cell = this->cell();
  for (const char* name : {"boundary_f_2px", "ece_15"}) {
    cell["score"]["metrics"] = {name};
    EXPECT_THROW(plan({cell}), UserError) << name;
  }
}

// Whoever gives probabilities of every label is calibrated: a refiner of the seeds, what comes of it, a prediction.
TEST_F(PlanTest, CalibrationIsOfEveryTargetThatHoldsProbabilities) {
  Json cell = this->cell();
  cell["score"]["metrics"] = {"ece_15"};
  Json smooth = refiner(1.0), crf = resolved_method("refiner", "crf");
  smooth["background"] = {{"rule", "power"}, {"alpha", 4}};
  crf["name"] = "crf";
  cell["refiners"] = {smooth, crf};
  cell["pseudo_label"] = {{"background", {{"rule", "argmax"}}}};
  cell["score"]["targets"] = {"seeds", "smooth", "crf", "pseudo_labels"};
  const Plan plan = this->plan({cell});
  std::set<std::string> calibrated;
  for (const PlannedStage& stage : plan.stages)
    if (stage.spec.operation == "maps") calibrated.insert(stage.spec.settings.at("target").get<std::string>());
  EXPECT_EQ(calibrated, (std::set<std::string>{"crf", "pseudo_labels"}))
      << "a plane beside evidence makes no probabilities";
}

TEST_F(PlanTest, InsertionAsksTheClassifierWithItsCheckpoint) {
  Json cell = this->cell();
  cell["score"]["metrics"] = {"insertion_10_blur_probability"};
  cell["seed_generator"]["localise"]["input"] = "square:64";
  const Plan plan = this->plan({cell});
  const auto score = std::find_if(plan.stages.begin(), plan.stages.end(),
                                  [](const PlannedStage& stage) { return stage.spec.operation == "causal"; });
  ASSERT_NE(score, plan.stages.end());
  std::map<std::string, std::string> inputs;
  for (std::size_t i = 0; i < score->inputs.size(); ++i)
    inputs[score->spec.inputs.at(i).name] = plan.stages[score->inputs[i]].spec.operation;
  EXPECT_EQ(inputs, (std::map<std::string, std::string>{{"checkpoint", "seed_generator"}, {"maps", "seeds"}}));
  EXPECT_TRUE(score->spec.methods.contains("generator"));
  EXPECT_TRUE(score->spec.methods.contains("backbone"));
  EXPECT_EQ(score->spec.settings.at("input"), "square:64");
  EXPECT_TRUE(score->record.key_parts.at("images").contains("image_labels"));
  EXPECT_FALSE(score->record.key_parts.at("images").contains("mask"));
  EXPECT_TRUE(score->record.key_parts.contains("threads")) << "floats are computed";
  cell["score"]["targets"] = {"image_labels"};
  EXPECT_THROW(this->plan({cell}), UserError) << "no maps are scored";
}

TEST_F(PlanTest, ObjectsAreScoredOnTheSeeds) {
  Json cell = this->cell();
  cell["score"]["targets"] = {"seeds", "instances"};
  const Plan plan = this->plan({cell});
  EXPECT_EQ(count(plan, "seeds"), 1u);
  const auto score = std::find_if(plan.stages.begin(), plan.stages.end(),
                                  [](const PlannedStage& stage) { return stage.spec.operation == "instances"; });
  ASSERT_NE(score, plan.stages.end());
  EXPECT_EQ(plan.stages[score->inputs.at(0)].spec.operation, "seeds");
  EXPECT_TRUE(score->record.key_parts.at("images").contains("instances"));
  EXPECT_TRUE(score->record.key_parts.at("images").contains("mask"));
}

// What a trained refiner reads beside its images: its own maps, and each companion through its chain and rule.
TEST_F(PlanTest, CompanionsAreInputsOfTheFit) {
  Json cell = this->cell();
  Json entry = resolved_method("refiner", "affinity");
  entry["name"] = "walk";
  entry["train"] = {{"epochs", 2}};
  entry["background"] = {{"rule", "power"}, {"alpha", 16.0}};
  Json smooth = refiner(2);
  smooth["background"] = {{"rule", "power"}, {"alpha", 4.0}};
  entry["companions"] = {
      {"low", {{"refiners", Json::array({smooth})}, {"background", {{"rule", "threshold"}, {"value", 0.1}}}}},
      {"sure", {{"refiners", Json::array()}, {"labels", {{"rule", "threshold"}, {"value", 0.3}}}}}};
  cell["refiners"].push_back(entry);
  cell["score"]["targets"] = {"walk"};
  const Plan plan = this->plan({cell});
  const auto fit = std::ranges::find_if(plan.stages, [](const auto& s) {
    return s.spec.type == protocol::StageType::fit && s.spec.operation == "refiner";
  });
  ASSERT_NE(fit, plan.stages.end());
  std::map<std::string, const PlannedStage*> inputs;
  for (std::size_t i = 0; i < fit->inputs.size(); ++i) inputs[fit->spec.inputs[i].name] = &plan.stages[fit->inputs[i]];
  EXPECT_EQ(inputs.at("maps")->spec.operation, "seeds");
  EXPECT_EQ(inputs.at("maps:low")->spec.operation, "refine");
  EXPECT_EQ(inputs.at("maps:low")->spec.settings.at("background").at("alpha"), 4.0);
  EXPECT_EQ(inputs.at("labels:sure")->spec.operation, "label");
  EXPECT_EQ(fit->spec.settings.at("background").at("alpha"), 16.0) << "the maps of the fit are those of inference";
  EXPECT_EQ(fit->spec.settings.at("companions").at("low").at("background").at("value"), 0.1);
}

// Two runs pass the refiners and are compared; a fit's labels are that stage's.
TEST_F(PlanTest, RulesOfTwoRunTwiceThroughTheirRefiners) {
  Json cell = this->cell();
  Json walk = resolved_method("refiner", "affinity");
  walk["name"] = "walk";
  walk["train"] = {{"epochs", 2}};
  walk["labels"] = {{"rule", "two_powers"},
                    {"alpha_low", 4.0},
                    {"alpha_high", 32.0},
                    {"refiners", Json::array({refiner(2)})},
                    {"background_wins", true}};
  cell["refiners"].push_back(walk);
  cell["score"]["targets"] = {"walk"};
  const Plan plan = this->plan({cell});
  EXPECT_EQ(count(plan, "agree"), 1u);
  const auto fit = std::ranges::find_if(plan.stages, [](const auto& s) {
    return s.spec.type == protocol::StageType::fit && s.spec.operation == "refiner";
  });
  ASSERT_NE(fit, plan.stages.end());
  EXPECT_FALSE(fit->spec.settings.contains("labels"));
  ASSERT_EQ(fit->spec.inputs.at(1).name, "labels");
  const PlannedStage& agree = plan.stages[fit->inputs[1]];
  EXPECT_EQ(agree.spec.operation, "agree");
  EXPECT_TRUE(agree.spec.settings.at("background_wins").get<bool>());
  cell["refiners"][0]["labels"] = {{"rule", "saliency"}, {"side", "saliency"}};
  const Plan salient = this->plan({cell});
  const auto made = std::ranges::find_if(salient.stages, [](const auto& s) { return s.spec.operation == "label"; });
  ASSERT_NE(made, salient.stages.end()) << "a fit opens no side input for a rule";
  EXPECT_TRUE(made->record.key_parts.at("images").contains("side:saliency"));
  std::map<std::string, double> alphas;
  for (std::size_t i = 0; i < agree.inputs.size(); ++i) {
    const PlannedStage& label = plan.stages[agree.inputs[i]];
    EXPECT_EQ(label.spec.settings.at("rule"), "argmax");
    alphas[agree.spec.inputs[i].name] = plan.stages[label.inputs.at(0)].spec.settings.at("background").at("alpha");
  }
  EXPECT_EQ(alphas, (std::map<std::string, double>{{"strong", 4.0}, {"weak", 32.0}}));
}

// A rule that opens saliency has its content in the key, as a method that is shown it.
TEST_F(PlanTest, SaliencyOfARuleIsInTheKey) {
  Json cell = this->cell();
  cell["pseudo_label"] = {{"keep", "none"}, {"background", {{"rule", "saliency"}, {"side", "saliency"}}}};
  cell["score"]["targets"] = {"pseudo_labels"};
  Json entry = refiner(1);
  entry["background"] = nullptr;
  cell["refiners"].push_back(entry);
  const Plan plan = this->plan({cell});
  const auto label = std::ranges::find_if(plan.stages, [](const auto& s) { return s.spec.operation == "label"; });
  ASSERT_NE(label, plan.stages.end());
  EXPECT_TRUE(label->record.key_parts.at("images").contains("side:saliency"));
  cell["refiners"][0]["background"] = {{"rule", "saliency"}, {"side", "saliency"}};
  cell["pseudo_label"]["background"] = {{"rule", "argmax"}};
  const Plan with_plane = this->plan({cell});
  const auto refine =
      std::ranges::find_if(with_plane.stages, [](const auto& s) { return s.spec.operation == "refine"; });
  ASSERT_NE(refine, with_plane.stages.end());
  EXPECT_TRUE(refine->record.key_parts.at("images").contains("side:saliency"));
}

TEST_F(PlanTest, InputsComeBeforeTheirReaders) {
  Json with_refiner = cell();
  with_refiner["refiners"].push_back(refiner(1));
  with_refiner["score"]["targets"] = {"pseudo_labels", "seeds"};
  const Plan plan = this->plan({with_refiner});
  for (std::size_t i = 0; i < plan.stages.size(); ++i) {
    for (const std::size_t input : plan.stages[i].inputs) EXPECT_LT(input, i);
  }
}

TEST_F(PlanTest, KeysAreTheSameFromRunToRun) { EXPECT_EQ(keys(plan({cell()})), keys(plan({cell()}))); }

TEST_F(PlanTest, AKeyFollowsWhatChangesItsOutputAndNothingElse) {
  const std::set<std::string> before = keys(plan({cell()}));
  const auto changed = [&](const char* pointer, const Json& value) {
    Json other = cell();
    other[Json::json_pointer(pointer)] = value;
    const std::set<std::string> after = keys(plan({other}));
    std::size_t kept = 0;
    for (const std::string& key : after) kept += before.count(key);
    return after.size() - kept;
  };
  const std::size_t all = before.size();
  EXPECT_EQ(changed("/backbone/parameters/strength", 2.0), all);
  EXPECT_EQ(changed("/seed_generator/train/epochs", 3), all);
  EXPECT_EQ(changed("/seed_generator/localise/flip", true), all - 1);  // the fit stays
  EXPECT_EQ(changed("/execution/threads", 2), all);
  EXPECT_EQ(changed("/execution/device", "auto"), 0u);
  EXPECT_EQ(changed("/score/void", "error"), 0u);                 // no label score in this cell
  EXPECT_EQ(changed("/dataset/roles/measure", "0..3"), all - 1);  // the fit sees `train` alone
}

TEST_F(PlanTest, ARoleWithinAnotherIsAViewAndNotAnotherRun) {
  Json both = cell();
  both["score"]["roles"] = {"measure", "train"};
  const Plan plan = this->plan({both});
  EXPECT_EQ(count(plan, "seeds"), 1u);
  EXPECT_EQ(count(plan, "sweep"), 2u);
}

TEST_F(PlanTest, ATrainingFreeCellIsOneForAllRandomSeeds) {
  Json free = cell();
  free["seed_generator"].erase("train");
  const Plan plan = this->plan({free}, {0, 1, 2});
  EXPECT_EQ(plan.stages.size(), 2u);
  EXPECT_EQ(plan.study.cells.size(), 3u);
  EXPECT_FALSE(plan.stages[0].spec.random_seed.has_value());
}

TEST_F(PlanTest, AChoiceEntersByItsKeyAndIsAnOracleOnTheScoredRole) {
  Json chosen = cell();
  chosen["pseudo_label"] = {
      {"background",
       {{"rule", "threshold"},
        {"choose", {{"on", "select"}, {"metric", "miou_union"}, {"from", 0.0}, {"to", 0.99}, {"step", 0.01}}}}}};
  Plan plan = this->plan({chosen});
  EXPECT_EQ(count(plan, "threshold"), 1u);
  const auto is_oracle = [](const Plan& planned) {
    for (const PlannedStage& stage : planned.stages) {
      if (stage.spec.operation == "labels") return stage.spec.settings.contains("oracle");
    }
    return false;
  };
  EXPECT_FALSE(is_oracle(plan));
  chosen["pseudo_label"]["background"]["choose"]["on"] = "measure";
  plan = this->plan({chosen});
  EXPECT_TRUE(is_oracle(plan));
}

TEST_F(PlanTest, ASegmenterReadsPseudoLabelsOfTheTrainingRole) {
  Json full = cell();
  full["pseudo_label"] = {{"background", {{"rule", "threshold"}, {"value", 0.3}}}};
  Json loss = resolved_method("loss", "ce");
  loss["name"] = "ce";
  loss["weight"] = 1.0;
  full["segmenter"] = {{"backbone", resolved_method("backbone", "net")},
                       {"head", resolved_method("segmentation_head", "linear")},
                       {"loss", {loss}},
                       {"strategy", resolved_method("training_strategy", "supervised")},
                       {"train", {{"epochs", 1}}},
                       {"labels", "pseudo_labels"}};
  full["score"]["targets"] = {"seeds", "pseudo_labels", "predictions"};
  full["score"]["roles"] = {"measure", "test"};
  full["score"]["predictions"] = {
      {{"name", "prediction"}, {"scales", {1.0}}, {"flip", false}, {"input", "native"}, {"refiners", Json::array()}}};
  const Plan plan = this->plan({full});
  const auto fit = std::find_if(plan.stages.begin(), plan.stages.end(),
                                [](const auto& stage) { return stage.spec.operation == "segmenter"; });
  ASSERT_NE(fit, plan.stages.end());
  EXPECT_EQ(plan.stages[fit->inputs.at(0)].spec.operation, "label");
  EXPECT_EQ(plan.stages[fit->inputs.at(0)].spec.image_ids.size(), 8u);
  EXPECT_EQ(count(plan, "predict"), 2u);  // measure and test
  EXPECT_EQ(count(plan, "label"), 4u);    // train (measure is a view of it), test; predictions on both
}

// The roles that a fit opens beside its own enter its key by their content.
TEST_F(PlanTest, AValidationIsAPartOfTheFitsKey) {
  const auto key_with = [&](const Json& validate, const std::string& select = "8..10") {
    Json cell = this->cell();
    cell["dataset"]["roles"]["select"] = select;
    cell["dataset"]["roles"]["unlabelled"] = cell["dataset"]["roles"]["test"];
    if (!validate.is_null()) cell["seed_generator"]["train"]["validate"] = validate;
    const Plan plan = this->plan({cell});
    const auto fit =
        std::ranges::find_if(plan.stages, [](const auto& s) { return s.spec.type == protocol::StageType::fit; });
    return fit->spec.key;
  };
  const Json on_select{{"on", "select"}, {"every", 0}, {"metric", "map_macro"}};
  const Json on_test{{"on", "test"}, {"every", 0}, {"metric", "map_macro"}};
  const Json on_unlabelled{{"on", "unlabelled"}, {"every", 0}, {"metric", "map_macro"}};
  EXPECT_NE(key_with(nullptr), key_with(on_select));
  EXPECT_NE(key_with(on_select), key_with(on_test));
  EXPECT_NE(key_with(on_select), key_with(on_select, "8..9"));
  EXPECT_EQ(key_with(nullptr), key_with(nullptr, "8..9")) << "a role that is not opened changes nothing";
  EXPECT_EQ(key_with(on_test), key_with(on_unlabelled)) << "roles of one content are one to a key";
}

TEST_F(PlanTest, FurtherRolesReachTheFitWithTheirImages) {
  Json cell = this->cell();
  cell["seed_generator"]["train"]["validate"] = {{"on", "select"}, {"every", 0}, {"metric", "miou_union"}};
  cell["seed_generator"]["train"]["streams"] = {{"unlabelled", {{"role", "test"}, {"input", "native"}}}};
  const Plan plan = this->plan({cell});
  const auto fit =
      std::ranges::find_if(plan.stages, [](const auto& s) { return s.spec.type == protocol::StageType::fit; });
  const auto& others = fit->spec.other_images;
  EXPECT_EQ(others.at("validate").role, "select");
  EXPECT_EQ(others.at("validate").image_ids.size(), 2u);
  EXPECT_EQ(others.at("stream:unlabelled").image_ids.size(), 4u);
  EXPECT_FALSE(fit->spec.settings.at("streams").at("unlabelled").contains("role"));
}

TEST_F(PlanTest, ATrainedRefinerMayHaveABackboneOfItsOwn) {
  Json cell = this->cell();
  Json entry = resolved_method("refiner", "walk");
  entry["name"] = "walk";
  entry["train"] = {{"epochs", 2}};
  entry["backbone"] = resolved_method("backbone", "net", 7.0);
  cell["refiners"].push_back(entry);
  cell["score"]["targets"] = {"walk"};
  const Plan plan = this->plan({cell});
  int seen = 0;
  for (const PlannedStage& stage : plan.stages) {
    if (!stage.spec.methods.contains("refiner")) continue;
    ++seen;
    EXPECT_EQ(stage.spec.methods.at("backbone").parameters.at("strength"), 7.0) << stage.spec.operation;
  }
  EXPECT_EQ(seen, 2) << "the fit and the map";
}

// IRN's labels: the maps under a strict and a loose rule, each through the chain, joined to what is sure.
TEST_F(PlanTest, LabelsOfATrainedRefinerAreOrdinaryMapStages) {
  Json cell = this->cell();
  Json entry = resolved_method("refiner", "walk");
  entry["name"] = "walk";
  entry["train"] = {{"epochs", 2}};
  entry["labels"] = {
      {"rule", "two_thresholds"}, {"high", 0.3}, {"low", 0.05}, {"background_wins", false}, {"refiners", {refiner(2)}}};
  cell["refiners"].push_back(entry);
  cell["score"]["targets"] = {"seeds", "walk"};
  const Plan plan = this->plan({cell});
  const auto fit = std::ranges::find_if(plan.stages, [](const auto& s) {
    return s.spec.type == protocol::StageType::fit && s.spec.operation == "refiner";
  });
  ASSERT_NE(fit, plan.stages.end());
  ASSERT_EQ(fit->spec.inputs.size(), 1u);
  EXPECT_EQ(fit->spec.inputs[0].name, "labels");
  const PlannedStage& join = plan.stages[fit->inputs[0]];
  EXPECT_EQ(join.spec.operation, "agree");
  ASSERT_EQ(join.inputs.size(), 2u);
  const double values[] = {0.3, 0.05};
  for (std::size_t side = 0; side < 2; ++side) {
    const PlannedStage& label = plan.stages[join.inputs[side]];
    EXPECT_EQ(join.spec.inputs[side].name, side == 0 ? "strong" : "weak");
    EXPECT_EQ(label.spec.settings.at("rule"), "argmax");
    const PlannedStage& refined = plan.stages[label.inputs.at(0)];
    EXPECT_EQ(refined.spec.operation, "refine");
    EXPECT_EQ(refined.spec.settings.at("background"), (Json{{"rule", "threshold"}, {"value", values[side]}}));
    EXPECT_EQ(plan.stages[refined.inputs.at(0)].spec.operation, "seeds");
  }
  EXPECT_EQ(count(plan, "seeds"), 1u) << "the chain starts from the seeds that are scored";
}

TEST_F(PlanTest, LabelsWithoutAChainAreOneStage) {
  Json cell = this->cell();
  Json entry = resolved_method("refiner", "walk");
  entry["name"] = "walk";
  entry["train"] = {{"epochs", 2}};
  entry["labels"] = {{"rule", "two_thresholds"}, {"high", 0.3}, {"low", 0.05}};
  cell["refiners"].push_back(entry);
  cell["score"]["targets"] = {"walk"};
  const Plan plan = this->plan({cell});
  const auto fit = std::ranges::find_if(plan.stages, [](const auto& s) {
    return s.spec.type == protocol::StageType::fit && s.spec.operation == "refiner";
  });
  EXPECT_EQ(plan.stages[fit->inputs.at(0)].spec.settings.at("rule"), "two_thresholds");
}

}  // namespace
}  // namespace seedbed::plan
