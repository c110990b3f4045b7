// Labels that are made with more than maps: saliency in the ledger, confidence in the artefact.
#include <filesystem>
#include <string>

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "dataset/scenes.hpp"
#include "images/decode.hpp"
#include "seedbed/error.hpp"
#include "stage_requests.hpp"
#include "stages/export_labels.hpp"
#include "stages/product_artefact.hpp"
#include "support/temp_folder.hpp"
#include "support/tensor_matchers.hpp"
#include "weights/npy.hpp"

namespace seedbed::stages {
namespace {

using protocol::LedgerEntry;
using protocol::StageState;
using seedbed::testing::equals_tensor;
using seedbed::testing::has_shape;
using seedbed::testing::TempFolder;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::IsEmpty;

at::Tensor saliency_of(std::int64_t index) {
  dataset::SceneSettings settings;
  settings.height_px = settings.width_px = 48;
  const dataset::Scene scene = dataset::render_scene(settings, index);
  return at::tensor(std::vector<int>(scene.saliency_hw.begin(), scene.saliency_hw.end()), at::kByte).view({48, 48});
}

auto saliency_opened(std::int64_t images) {
  return AllOf(Field(&LedgerEntry::kind, "side:saliency"), Field(&LedgerEntry::purpose, "infer"),
               Field(&LedgerEntry::images, images), Field(&LedgerEntry::opens, images));
}

TEST(LabelStage, SaliencyDecidesWhereBackgroundIsAndIsInTheLedger) {
  const TempFolder folder;
  const StageSpec seeds = cam_seeds("measure", 0, 4, /*trained=*/false);
  const StageSpec labels = labels_of(seeds, {{"rule", "saliency"}, {"side", "saliency"}, {"confidence", true}});
  const Recorder recorder = run(request(folder.path(), {seeds, labels}));
  ASSERT_EQ(recorder.of(labels).state, StageState::done) << recorder.log_text;
  EXPECT_THAT(recorder.of(labels).ledger, ElementsAre(saliency_opened(4)));
  const ProductReader reader(folder.path() / "artefacts", labels.key);
  const ImageProduct product = reader.read("scene-00002");
  const at::Tensor salient = saliency_of(2).gt(50), made = product.labels->labels_nhw[0];
  EXPECT_TRUE(made.masked_select(salient.logical_not()).eq(0).all().item<bool>());
  EXPECT_TRUE(made.masked_select(salient).ne(0).all().item<bool>()) << "a class, or in doubt";
  EXPECT_THAT(product.labels->confidence_nhw, has_shape({1, 48, 48}));
  EXPECT_TRUE(product.labels->confidence_nhw[0].masked_select(salient.logical_not()).eq(1).all().item<bool>());
}

TEST(LabelStage, OtherRulesOpenNothing) {
  const TempFolder folder;
  const StageSpec seeds = cam_seeds("measure", 0, 2, /*trained=*/false);
  const StageSpec labels = labels_of(seeds, {{"rule", "threshold"}, {"value", 0.3}});
  EXPECT_THAT(run(request(folder.path(), {seeds, labels})).of(labels).ledger, IsEmpty());
}

// Without refiners between them, two runs are what a rule of two gives in one stage.
TEST(AgreeStage, ComparesALabelMapOfAStrongAndOneOfAWeakBackground) {
  const TempFolder folder;
  const StageSpec seeds = cam_seeds("measure", 0, 4, /*trained=*/false);
  StageSpec strong = labels_of(seeds, {{"rule", "threshold"}, {"value", 0.4}});
  StageSpec weak = labels_of(seeds, {{"rule", "threshold"}, {"value", 0.1}});
  strong.key = key_of("strong");
  weak.key = key_of("weak");
  StageSpec agree = stage(StageType::map, "agree", "agree", seeds.image_ids);
  agree.settings = {{"background_wins", false}, {"doubtful", "undecided"}};
  agree.inputs = {{"strong", strong.key}, {"weak", weak.key}};
  StageSpec crossed = agree;
  crossed.key = key_of("crossed");
  crossed.inputs = {{"strong", weak.key}, {"weak", strong.key}};
  StageSpec background = crossed;
  background.key = key_of("background wins");
  background.settings["background_wins"] = true;
  const StageSpec both =
      labels_of(seeds, {{"rule", "two_thresholds"}, {"high", 0.4}, {"low", 0.1}, {"doubtful", "undecided"}});
  const Recorder recorder = run(request(folder.path(), {seeds, strong, weak, agree, crossed, background, both}));
  ASSERT_EQ(recorder.of(agree).state, StageState::done) << recorder.log_text;
  const auto read = [&](const StageSpec& spec) {
    return ProductReader(folder.path() / "artefacts", spec.key).read("scene-00002").labels->labels_nhw;
  };
  EXPECT_THAT(read(agree), equals_tensor(read(both)));
  // The other way round the two contradict each other, and nothing is left in doubt.
  EXPECT_THAT(read(crossed), equals_tensor(read(weak)));
  EXPECT_THAT(read(background), equals_tensor(read(strong)));
}

TEST(ExportLabels, WritesPalettePngsAndConfidencesThatReadBack) {
  const TempFolder folder;
  const StageSpec seeds = cam_seeds("measure", 0, 3, /*trained=*/false);
  const StageSpec labels =
      labels_of(seeds, {{"rule", "two_thresholds"}, {"high", 0.4}, {"low", 0.1}, {"confidence", true}});
  run(request(folder.path(), {seeds, labels}));
  const auto artefacts = folder.path() / "artefacts";
  const ExportedLabels exported = export_labels(artefacts, labels.key, folder / "out/png", ConfidenceFile::png);
  EXPECT_EQ(exported.images, 3);
  EXPECT_EQ(exported.confidences, 3);
  export_labels(artefacts, labels.key, folder / "out/npy", ConfidenceFile::npy);
  export_labels(artefacts, labels.key, folder / "out/none", ConfidenceFile::none);
  EXPECT_FALSE(std::filesystem::exists(folder / "out/none/scene-00001.confidence.npy"));
  const ProductReader reader(artefacts, labels.key);
  for (const std::string& id : reader.image_ids()) {
    const LabelMaps stored = *reader.read(id).labels;
    EXPECT_THAT(images::decode_mask_values(folder / ("out/png/" + id + ".png")), equals_tensor(stored.labels_nhw[0]));
    EXPECT_THAT(weights::read_npy(folder / ("out/npy/" + id + ".confidence.npy")),
                equals_tensor(stored.confidence_nhw[0]));
    const at::Tensor upper = images::decode_grey(folder / ("out/png/" + id + ".confidence.png")).to(at::kFloat) * 256;
    const at::Tensor levels = (stored.confidence_nhw[0] * 65535).round();
    EXPECT_TRUE(upper.le(levels).logical_and(levels.lt(upper + 256)).all().item<bool>()) << "the decoder keeps 8 bits";
  }
}

TEST(ExportLabels, SaysWhatCannotBeExported) {
  const TempFolder folder;
  const StageSpec seeds = cam_seeds("measure", 0, 2, /*trained=*/false);
  const StageSpec labels = labels_of(seeds, {{"rule", "threshold"}, {"value", 0.3}});
  run(request(folder.path(), {seeds, labels}));
  const auto artefacts = folder.path() / "artefacts";
  EXPECT_THROW(export_labels(artefacts, labels.key, folder / "out", ConfidenceFile::png), UserError) << "no confidence";
  EXPECT_THROW(export_labels(artefacts, seeds.key, folder / "out", ConfidenceFile::none), UserError) << "maps";
  EXPECT_THROW(export_labels(artefacts, key_of("gone"), folder / "out", ConfidenceFile::none), UserError);
  folder.write("file", "x");
  EXPECT_THROW(export_labels(artefacts, labels.key, folder / "file/out", ConfidenceFile::none), UserError);
  EXPECT_THROW(confidence_file_from("tiff"), UserError);
  EXPECT_EQ(confidence_file_from("none"), ConfidenceFile::none);
}

TEST(RefineStage, SaliencyMayGiveThePlane) {
  const TempFolder folder;
  const StageSpec seeds = cam_seeds("measure", 0, 3, /*trained=*/false);
  StageSpec refined = refined_by(fixture("good", "fixture.scale"), seeds);
  refined.settings = {{"background", {{"rule", "saliency"}, {"side", "saliency"}, {"floor", 0.0}}}};
  const Recorder recorder = run(request(folder.path(), {seeds, refined}));
  ASSERT_EQ(recorder.of(refined).state, StageState::done) << recorder.log_text;
  EXPECT_THAT(recorder.of(refined).ledger, Contains(saliency_opened(3)));
  const ImageProduct product = ProductReader(folder.path() / "artefacts", refined.key).read("scene-00001");
  EXPECT_EQ(product.maps->planes.front(), 0);
  const at::Tensor background = product.maps->scores_nphw[0][0];
  const at::Tensor scaled = background / background.max();
  EXPECT_TRUE(scaled.eq(0).equal(saliency_of(1).gt(50)));
}

}  // namespace
}  // namespace seedbed::stages
