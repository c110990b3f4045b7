// Metrics that a study names: of maps, of boxes, of outlines; each beside those that are always there.
#include <string>

#include <gmock/gmock.h>

#include "metrics/map_scorer.hpp"
#include "seedbed/error.hpp"
#include "stage_requests.hpp"
#include "support/temp_folder.hpp"

namespace seedbed::stages {
namespace {

using protocol::StageState;
using seedbed::testing::TempFolder;
using ::testing::Contains;
using ::testing::Field;
using ::testing::HasSubstr;

const Json kThreshold{{"rule", "threshold"}, {"value", 0.3}};

StageSpec maps_scored(const StageSpec& seeds, const Json& metrics) {
  StageSpec spec = stage(StageType::score, "maps", "maps " + seeds.node, seeds.image_ids);
  spec.settings = {{"target", "seeds"}, {"metrics", metrics}};
  spec.inputs = {{"maps", seeds.key}};
  return spec;
}

TEST(ScoreMaps, MeasuresWhereMapsLie) {
  const TempFolder folder;
  const StageSpec seeds = cam_seeds("measure", 0, 4, /*trained=*/false);
  const StageSpec maps = maps_scored(seeds, {"pointing_15px", "pixel_ap", "energy_inside", "max_box_acc_v2"});
  const Recorder recorder = run(request(folder.path(), {seeds, maps}));
  ASSERT_EQ(recorder.of(maps).state, StageState::done) << recorder.log_text;
  for (const char* name : {"pointing_15px", "pixel_ap", "energy_inside", "max_box_acc_v2"}) {
    EXPECT_GE(metric(recorder.of(maps), name), 0.0);
    EXPECT_LE(metric(recorder.of(maps), name), 1.0);
  }
  const auto& ledger = recorder.of(maps).ledger;
  EXPECT_THAT(ledger, Contains(Field(&protocol::LedgerEntry::kind, "masks")));
  EXPECT_THAT(ledger, Contains(Field(&protocol::LedgerEntry::kind, "instances")));
}

TEST(ScoreMaps, OpensObjectsForBoxesOnly) {
  const TempFolder folder;
  const StageSpec seeds = cam_seeds("measure", 0, 2, /*trained=*/false), maps = maps_scored(seeds, {"pixel_ap"});
  const Recorder recorder = run(request(folder.path(), {seeds, maps}));
  EXPECT_EQ(recorder.of(maps).ledger.size(), 1U);
}

// Scenes name the boxes around what is seen of their objects, so both ground truths agree.
TEST(ScoreMaps, AnnotatedBoxesAreOpenedByThemselves) {
  const TempFolder folder;
  const StageSpec seeds = cam_seeds("measure", 0, 4, /*trained=*/false);
  const StageSpec objects = maps_scored(seeds, {"max_box_acc", "max_box_acc_any_30"});
  StageSpec annotated = maps_scored(seeds, {"max_box_acc_annotated", "max_box_acc_any_30_annotated"});
  annotated.key = key_of("annotated");
  const Recorder recorder = run(request(folder.path(), {seeds, objects, annotated}));
  ASSERT_EQ(recorder.of(annotated).state, StageState::done) << recorder.of(annotated).message;
  for (const char* name : {"max_box_acc", "max_box_acc_any_30"})
    EXPECT_EQ(metric(recorder.of(annotated), std::string(name) + "_annotated"), metric(recorder.of(objects), name));
  EXPECT_GT(metric(recorder.of(objects), "max_box_acc_any_30"), 0);
  const auto& ledger = recorder.of(annotated).ledger;
  EXPECT_THAT(ledger, Contains(Field(&protocol::LedgerEntry::kind, "boxes")));
  EXPECT_THAT(ledger, ::testing::Not(Contains(Field(&protocol::LedgerEntry::kind, "instances"))));
}

TEST(ScoreMaps, RefusesANameThatIsNone) {
  const TempFolder folder;
  const StageSpec seeds = cam_seeds("measure", 0, 2, /*trained=*/false), maps = maps_scored(seeds, {"pixel_apt"});
  const Recorder recorder = run(request(folder.path(), {seeds, maps}));
  EXPECT_EQ(recorder.of(maps).state, StageState::failed);
  EXPECT_THAT(recorder.of(maps).message + recorder.of(maps).hint, HasSubstr("`pixel_ap`"));
}

TEST(ScoreLabels, RecordsWhatIsNamedBesideWhatAlwaysIs) {
  const TempFolder folder;
  const StageSpec seeds = cam_seeds("measure", 0, 4, /*trained=*/false), labels = labels_of(seeds, kThreshold);
  StageSpec scored = score_of(labels, kThreshold);
  scored.settings["metrics"] = {"miou_truth", "boundary_f_2px", "mean_fp_over_union"};
  StageSpec sweep = sweep_of(seeds);
  sweep.settings["metrics"] = {"miou_images", "foreground_iou"};
  const Recorder recorder = run(request(folder.path(), {seeds, labels, scored, sweep}));
  ASSERT_EQ(recorder.of(scored).state, StageState::done) << recorder.log_text;
  for (const char* name : {"miou_union", "pixel_accuracy", "miou_truth", "boundary_f_2px", "mean_fp_over_union"})
    EXPECT_GE(metric(recorder.of(scored), name, "fixed"), 0.0);
  for (const char* name : {"miou_union", "miou_images", "foreground_iou"})
    EXPECT_GE(metric(recorder.of(sweep), name, "oracle"), 0.0);
}

}  // namespace
}  // namespace seedbed::stages
