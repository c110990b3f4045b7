#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "protocol/artefact_paths.hpp"
#include "seedbed/error.hpp"
#include "seedbed/fusion_plan.hpp"
#include "stage_requests.hpp"
#include "stages/product_artefact.hpp"
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
using ::testing::ElementsAre;
using testing::equals_tensor;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using testing::TempFolder;

const Json kThreshold{{"rule", "threshold"}, {"value", 0.3}};

std::vector<std::string> digests(const StageResult& result) {
  std::vector<std::string> all;
  for (const protocol::ArtefactFile& file : result.artefacts) all.push_back(file.path + " " + file.digest);
  return all;
}

void expect_done(const Recorder& recorder) {
  for (const StageResult& result : recorder.results) {
    EXPECT_EQ(result.state, StageState::done) << result.key << ": " << result.message << "\n" << recorder.log_text;
  }
}

void expect_files(const std::filesystem::path& folder, const StageResult& result) {
  for (const protocol::ArtefactFile& file : result.artefacts) {
    EXPECT_EQ(static_cast<std::int64_t>(std::filesystem::file_size(folder / "artefacts" / file.path)), file.bytes);
  }
}

// From training to a scored prediction, as one study does it.
TEST(Groups, RunEveryStageTypeOfAStudy) {
  const TempFolder folder;
  const StageSpec fit = fit_cam();
  const Recorder fitted = run(request(folder.path(), {fit}));
  expect_done(fitted);
  expect_files(folder.path(), fitted.of(fit));
  EXPECT_EQ(fitted.of(fit).facts.at("steps"), 6);
  EXPECT_THAT(fitted.of(fit).curves, SizeIs(2));  // the loss and the learning rate
  EXPECT_THAT(fitted.of(fit).ledger, Contains(AllOf(Field(&protocol::LedgerEntry::kind, "image_labels"),
                                                    Field(&protocol::LedgerEntry::purpose, "train"))));

  const StageSpec seeds = cam_seeds("measure", 0, 10);
  StageSpec classification = stage(StageType::score, "classification", "classify", seeds.image_ids);
  classification.settings = {{"target", "image_labels"}};
  classification.inputs = {{"maps", seeds.key}};
  StageSpec choose = stage(StageType::choose, "threshold", "choose", seeds.image_ids);
  choose.settings = {{"on", "select"}, {"metric", "miou_union"}, {"from", 0.0},
                     {"to", 0.99},     {"step", 0.01},           {"rule", "threshold"}};
  choose.inputs = {{"maps", seeds.key}};
  const StageSpec pamr = pamr_on(seeds);
  const StageSpec labels = labels_of(pamr, kThreshold);
  const StageSpec scored = score_of(labels, kThreshold);
  const StageSpec sweep = sweep_of(seeds);
  const Recorder mapped = run(request(folder.path(), {seeds, classification, choose, sweep, pamr, labels, scored}));
  expect_done(mapped);
  for (const StageResult& result : mapped.results) expect_files(folder.path(), result);
  EXPECT_GT(metric(mapped.of(classification), "map_macro"), 0.0);
  const double oracle = metric(mapped.of(sweep), "miou_union", "oracle");
  EXPECT_DOUBLE_EQ(metric(mapped.of(choose), "miou_union", "chosen"), oracle);
  EXPECT_GT(metric(mapped.of(scored), "miou_union", "fixed"), 0.0);
  EXPECT_THAT(mapped.of(sweep).curves.at(0).x, SizeIs(100));
  EXPECT_EQ(mapped.of(seeds).facts.at("labels_at_inference"), "given");
  EXPECT_THAT(mapped.of(scored).ledger, ElementsAre(AllOf(Field(&protocol::LedgerEntry::kind, "masks"),
                                                          Field(&protocol::LedgerEntry::purpose, "score"),
                                                          Field(&protocol::LedgerEntry::images, 10))));

  StageSpec segmenter = stage(StageType::fit, "segmenter", "fit segmenter", labels.image_ids);
  segmenter.methods = {{"backbone", builtin("small_cnn", "small_cnn", {{"width", 8}})},
                       {"head", builtin("linear", "linear")},
                       {"strategy", builtin("supervised", "supervised")},
                       {"loss.ce", builtin("cross_entropy", "cross_entropy")}};
  segmenter.settings =
      train_table({{"label_source", "pseudo_labels"}, {"losses", {{{"name", "ce"}, {"weight", 1.0}}}}});
  segmenter.inputs = {{"labels", labels.key}};
  segmenter.random_seed = 0;
  expect_done(run(request(folder.path(), {segmenter})));

  StageSpec predict = stage(StageType::map, "predict", "predict", scene_ids(20, 26));
  predict.methods = segmenter.methods;
  predict.settings = {{"scales", {1.0, 1.5}}, {"flip", true}, {"input", "native"}, {"losses", Json::array()}};
  predict.inputs = {{"checkpoint", segmenter.key}};
  predict.keep = false;
  const StageSpec predicted = labels_of(predict, {{"rule", "argmax"}});
  const StageSpec test = score_of(predicted, {{"rule", "argmax"}});
  const Recorder tested = run(request(folder.path(), {predict, predicted, test}));
  expect_done(tested);
  EXPECT_THAT(tested.of(predict).artefacts, IsEmpty());
  EXPECT_GT(metric(tested.of(test), "pixel_accuracy"), 0.0);
}

StageSpec objects_of(const StageSpec& seeds) {
  StageSpec spec = stage(StageType::score, "instances", "objects " + seeds.node, seeds.image_ids);
  spec.settings = {{"target", "instances"}};
  spec.inputs = {{"maps", seeds.key}};
  return spec;
}

StageSpec prm_seeds(const std::string& instances) {
  StageSpec seeds = cam_seeds("prm " + instances, 0, 4, /*trained=*/false);
  seeds.methods["generator"] = builtin("prm", "prm", {{"instances", instances}});
  seeds.settings["fusion"] = to_strings(named_fusion_plan("plain"));
  return seeds;
}

// Objects that stream to their score, and those that are read from the disk, are the same.
TEST(Groups, ScoreObjects) {
  const TempFolder folder;
  const StageSpec seeds = prm_seeds("response"), objects = objects_of(seeds);
  const Recorder streamed = run(request(folder.path(), {seeds, objects}));
  expect_done(streamed);
  const StageResult& result = streamed.of(objects);
  const double covered = metric(result, "instance_mabo");
  EXPECT_GT(covered, 0.0);
  for (const char* name : {"instance_map_25", "instance_map_50", "instance_map_75"})
    EXPECT_GE(metric(result, name), 0.0);
  EXPECT_GT(result.facts.at("objects"), 3);
  EXPECT_GT(result.facts.at("objects_found"), 0);
  EXPECT_THAT(result.ledger, ElementsAre(Field(&protocol::LedgerEntry::kind, "instances"),
                                         Field(&protocol::LedgerEntry::kind, "masks")));
  const Recorder stored = run(request(folder.path(), {objects}));
  expect_done(stored);
  EXPECT_EQ(metric(stored.of(objects), "instance_mabo"), covered);
}

TEST(Groups, SayThatThereAreNoObjects) {
  const TempFolder folder;
  const StageSpec seeds = prm_seeds("none"), objects = objects_of(seeds);
  const Recorder recorder = run(request(folder.path(), {seeds, objects}));
  EXPECT_EQ(recorder.of(seeds).state, StageState::done);
  EXPECT_EQ(recorder.of(objects).state, StageState::failed);
  EXPECT_EQ(recorder.of(objects).cause, Cause::user_error);
  EXPECT_THAT(recorder.of(objects).message, HasSubstr("finds no objects"));
}

// What passes through memory equals what is read from the disk, to the last byte.
TEST(Groups, StreamedEqualsStored) {
  const TempFolder together, apart;
  const StageSpec fit = fit_cam({{"epochs", 1}});
  const StageSpec seeds = cam_seeds("measure", 0, 6);
  const StageSpec pamr = pamr_on(seeds);
  const StageSpec labels = labels_of(pamr, kThreshold);
  expect_done(run(request(together.path(), {fit})));
  expect_done(run(request(apart.path(), {fit})));
  const Recorder streamed = run(request(together.path(), {seeds, pamr, labels}));
  expect_done(streamed);
  for (const StageSpec& spec : {seeds, pamr, labels}) {
    const Recorder alone = run(request(apart.path(), {spec}));
    expect_done(alone);
    EXPECT_EQ(digests(alone.of(spec)), digests(streamed.of(spec)));
  }
}

TEST(Groups, SameSeedSameBytes) {
  const TempFolder first, second;
  const StageSpec fit = fit_cam();
  EXPECT_EQ(digests(run(request(first.path(), {fit})).of(fit)), digests(run(request(second.path(), {fit})).of(fit)));
}

// A fit that is stopped and started again leaves the checkpoint of one that was not.
// Maps of the first image of `seeds`, at the study's `localise.precision`.
at::Tensor first_maps_at(const std::string& precision) {
  const TempFolder folder;
  StageSpec seeds = cam_seeds("measure", 0, 2, /*trained=*/false);
  seeds.settings["precision"] = precision;
  expect_done(run(request(folder.path(), {seeds})));
  const ImageProduct product = ProductReader(folder.path() / "artefacts", seeds.key).read(seeds.image_ids.front());
  return product.maps->scores_nphw.clone();
}

TEST(Groups, SeedsOfLowerPrecisionLieNearAndAreStoredInFloat32) {
  const at::Tensor exact = first_maps_at("float32"), rounded = first_maps_at("bfloat16");
  EXPECT_EQ(rounded.scalar_type(), at::kFloat);
  EXPECT_FALSE(at::equal(rounded, exact));
  EXPECT_LT((rounded - exact).norm().item<double>(), 0.1 * exact.norm().item<double>());
}

TEST(Groups, Float16OnTheProcessorIsRefusedInWords) {
  const TempFolder folder;
  StageSpec seeds = cam_seeds("measure", 0, 2, /*trained=*/false);
  seeds.settings["precision"] = "float16";
  const StageResult result = run(request(folder.path(), {seeds})).of(seeds);
  EXPECT_EQ(result.cause, Cause::user_error);
  EXPECT_THAT(result.message, HasSubstr("needs a GPU"));
}

TEST(Groups, AStoppedFitGoesOn) {
  const TempFolder undisturbed, stopped;
  const StageSpec fit = fit_cam();
  const Recorder whole = run(request(undisturbed.path(), {fit}));
  Recorder stop;
  stop.cancel_at = 2;
  const Recorder first = run(request(stopped.path(), {fit}), stop);
  EXPECT_EQ(first.of(fit).state, StageState::interrupted);
  EXPECT_EQ(first.of(fit).cause, Cause::interrupted);
  const Recorder second = run(request(stopped.path(), {fit}));
  EXPECT_EQ(second.of(fit).facts.at("resumed_from_step"), 2);
  EXPECT_EQ(digests(second.of(fit)), digests(whole.of(fit)));
  EXPECT_FALSE(
      std::filesystem::exists(stopped.path() / "artefacts" / protocol::stage_folder(fit.key) / "resume.safetensors"));
}

TEST(Groups, AStoppedStreamIsInterrupted) {
  const TempFolder folder;
  const StageSpec seeds = cam_seeds("measure", 0, 6, false);
  Recorder stop;
  stop.cancel_at = 2;
  const Recorder stopped = run(request(folder.path(), {seeds, sweep_of(seeds)}), stop);
  for (const StageResult& result : stopped.results) EXPECT_EQ(result.state, StageState::interrupted);
  EXPECT_THAT(stopped.results, SizeIs(2));
}

TEST(Groups, AReaderMayTakeAPartOfTheImages) {
  const TempFolder folder;
  const StageSpec seeds = cam_seeds("measure", 0, 6, false);
  StageSpec part = sweep_of(seeds);
  part.image_ids = scene_ids(2, 4);
  const Recorder recorder = run(request(folder.path(), {seeds, part}));
  expect_done(recorder);
  EXPECT_EQ(recorder.of(part).facts.at("images"), 2);
  StageSpec more = sweep_of(seeds);
  more.image_ids = scene_ids(2, 9);
  const Recorder refused = run(request(folder.path(), {seeds, more}));
  EXPECT_EQ(refused.of(more).cause, Cause::contract_error);
  EXPECT_THAT(refused.of(more).message, HasSubstr("a stage's images are a part of its inputs'"));
}

TEST(Groups, ImagesWithoutClassesPass) {
  const TempFolder folder;
  StageSpec seeds = cam_seeds("measure", 0, 4, false);
  ImageProduct none;
  none.height_px = none.width_px = 48;
  none.maps.emplace();
  none.maps->scores_nphw = at::zeros({1, 0, 48, 48});
  none.maps->covered = {{0, 0, 48, 48}};
  ProductWriter writer(folder.path() / "artefacts", seeds.key);
  for (const std::string& id : seeds.image_ids) writer.add(id, none);
  writer.finish();
  const StageSpec pamr = pamr_on(seeds);
  const StageSpec labels = labels_of(pamr, kThreshold);
  const StageSpec sweep = sweep_of(seeds);
  const Recorder recorder = run(request(folder.path(), {pamr, labels, score_of(labels, kThreshold), sweep}));
  expect_done(recorder);
  const ProductReader reader(folder.path() / "artefacts", labels.key);
  EXPECT_THAT(reader.read("scene-00001").labels->labels_nhw, equals_tensor(at::zeros({1, 48, 48}, at::kByte)));
}

TEST(Groups, AChosenValueReachesTheLabels) {
  const TempFolder folder;
  const StageSpec seeds = cam_seeds("measure", 0, 6, false);
  StageSpec choose = stage(StageType::choose, "threshold", "choose", seeds.image_ids);
  choose.settings = {{"rule", "threshold"}, {"from", 0.2}, {"to", 0.8}, {"step", 0.1}};
  choose.inputs = {{"maps", seeds.key}};
  const Recorder chosen = run(request(folder.path(), {seeds, choose}));
  expect_done(chosen);
  const Json rule{{"rule", "threshold"}, {"choose", {{"on", "measure"}}}};
  StageSpec labels = labels_of(seeds, rule);
  labels.inputs.push_back({"chosen", choose.key});
  StageSpec scored = score_of(labels, rule);
  scored.inputs.push_back({"chosen", choose.key});
  const Recorder recorder = run(request(folder.path(), {labels, scored}));
  expect_done(recorder);
  EXPECT_DOUBLE_EQ(metric(recorder.of(scored), "miou_union", "chosen"),
                   metric(chosen.of(choose), "miou_union", "chosen"));
  EXPECT_EQ(recorder.of(labels).facts.at("rule_value"), chosen.of(choose).facts.at("value"));
}

TEST(Groups, PredictedLabelsNeedNoGivenOnes) {
  const TempFolder folder;
  StageSpec seeds = cam_seeds("measure", 0, 3, false);
  seeds.settings["labels"] = "predicted";
  const Recorder recorder = run(request(folder.path(), {seeds}));
  expect_done(recorder);
  EXPECT_THAT(recorder.of(seeds).ledger, ElementsAre(Field(&protocol::LedgerEntry::kind, "images")));
}

TEST(Groups, AMissingInputIsNamed) {
  const TempFolder folder;
  const StageSpec seeds = cam_seeds("measure", 0, 3);
  const Recorder recorder = run(request(folder.path(), {seeds, sweep_of(seeds)}));
  EXPECT_EQ(recorder.of(seeds).cause, Cause::user_error);
  EXPECT_THAT(recorder.of(seeds).message, HasSubstr("The checkpoint of an earlier stage is not there."));
  EXPECT_EQ(recorder.of(sweep_of(seeds)).state, StageState::skipped);
}

TEST(Groups, AFitIsAlone) {
  const TempFolder folder;
  EXPECT_THROW(run(request(folder.path(), {fit_cam(), cam_seeds("measure", 0, 3)})), ContractError);
}

TEST(Groups, AnUnknownDeviceIsRefused) {
  const TempFolder folder;
  GroupRequest group = request(folder.path(), {fit_cam()});
  group.device = "cuda:0";
  if (at::globalContext().hasCUDA()) GTEST_SKIP() << "this machine has a GPU";
  EXPECT_THROW(run(group), UserError);
}

}  // namespace
}  // namespace seedbed::stages
