// What a fit lays beside its training images.
#include <memory>

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "protocol/artefact_paths.hpp"
#include "stage_requests.hpp"
#include "support/temp_folder.hpp"
#include "support/tensor_matchers.hpp"
#include "weights/safetensors.hpp"

namespace seedbed::stages {
namespace {

using protocol::Cause;
using protocol::StageState;
using seedbed::testing::equals_tensor;
using seedbed::testing::has_shape;
using seedbed::testing::TempFolder;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::Field;
using ::testing::HasSubstr;

const Json kSure{{"rule", "two_thresholds"}, {"high", 0.3}, {"low", 0.05}};

StageSpec fit_keeper(const StageSpec& maps, const StageSpec& labels) {
  StageSpec fit = stage(StageType::fit, "refiner", "fit keeper", maps.image_ids);
  fit.methods = {{"refiner", fixture("companions", "fixture.companions")}};
  fit.settings = train_table({{"augment", {"flip", "crop:32"}}, {"drop_last", true}});
  fit.settings["background"] = nullptr;
  fit.settings["companions"] = {{"low", {{"background", {{"rule", "power"}, {"alpha", 4.0}}}}}};
  fit.inputs = {{"maps", maps.key}, {"maps:low", maps.key}, {"labels:sure", labels.key}};
  fit.random_seed = 0;
  return fit;
}

std::shared_ptr<const weights::SafetensorsFile> checkpoint_of(const TempFolder& folder, const StageSpec& fit) {
  return weights::SafetensorsFile::open(folder.path() / "artefacts" / protocol::stage_folder(fit.key) /
                                        "checkpoint.safetensors");
}

TEST(Companions, MapsLabelsAndSideInputsComeBesideTheImages) {
  const TempFolder folder;
  const StageSpec seeds = cam_seeds("measure", 0, 9, /*trained=*/false);
  const StageSpec labels = labels_of(seeds, kSure);
  const Recorder mapped = run(request(folder.path(), {seeds, labels}));
  ASSERT_EQ(mapped.of(labels).state, StageState::done) << mapped.log_text;
  const StageSpec fit = fit_keeper(seeds, labels);
  const Recorder fitted = run(request(folder.path(), {fit}));
  ASSERT_EQ(fitted.of(fit).state, StageState::done) << fitted.log_text;
  const auto seen = checkpoint_of(folder, fit);
  const at::Tensor maps = seen->tensor("maps");
  // One plane a class, and 0 wherever an image lacks the class.
  EXPECT_THAT(maps, has_shape({4, 4, 32, 32}));
  EXPECT_GT(maps.max().item<float>(), 0.0F);
  EXPECT_TRUE(maps.amax({2, 3}).eq(0).any().item<bool>());
  // The background plane was made of the same maps, so both moved alike.
  const at::Tensor low = seen->tensor("low");
  EXPECT_THAT(low.narrow(1, 1, 4).contiguous(), equals_tensor(maps));
  EXPECT_LT((low.select(1, 0) - (1 - maps.amax(1)).pow(4)).abs().max().item<float>(), 1e-5F);
  // So did labels: foreground where a map is above the upper threshold, background below the lower one.
  const at::Tensor sure = seen->tensor("sure").select(1, 0), highest = maps.amax(1);
  EXPECT_TRUE(sure.masked_select(highest.gt(0.3)).gt(0).all().item<bool>());
  EXPECT_TRUE(sure.masked_select(highest.gt(0.3)).lt(254).all().item<bool>());
  EXPECT_TRUE(sure.masked_select(highest.lt(0.05)).eq(0).all().item<bool>());
  EXPECT_LE(seen->tensor("saliency").max().item<float>(), 1.0F);
  EXPECT_THAT(fitted.of(fit).ledger, Contains(AllOf(Field(&protocol::LedgerEntry::kind, "side:saliency"),
                                                    Field(&protocol::LedgerEntry::purpose, "train"))));
}

// Pixels that a rule leaves for later are ignored by a method that does not ask for them; companions keep them.
TEST(Companions, UndecidedPixelsAreIgnoredInTargets) {
  const TempFolder folder;
  const StageSpec seeds = cam_seeds("measure", 0, 9, /*trained=*/false);
  Json undecided = kSure;
  undecided["doubtful"] = "undecided";
  const StageSpec labels = labels_of(seeds, undecided);
  run(request(folder.path(), {seeds, labels}));
  StageSpec fit = fit_keeper(seeds, labels);
  fit.inputs.push_back({"labels", labels.key});
  const Recorder fitted = run(request(folder.path(), {fit}));
  ASSERT_EQ(fitted.of(fit).state, StageState::done) << fitted.log_text;
  const auto seen = checkpoint_of(folder, fit);
  const at::Tensor target = seen->tensor("target"), sure = seen->tensor("sure").select(1, 0);
  EXPECT_TRUE(sure.eq(254).any().item<bool>());
  EXPECT_THAT(target, equals_tensor(sure.masked_fill(sure.eq(254), 255)));
}

TEST(Companions, AFitWithoutItsInputBreaksThePlansPromise) {
  const TempFolder folder;
  const StageSpec seeds = cam_seeds("measure", 0, 9, /*trained=*/false);
  const StageSpec labels = labels_of(seeds, kSure);
  run(request(folder.path(), {seeds, labels}));
  StageSpec fit = fit_keeper(seeds, labels);
  fit.inputs.pop_back();
  const Recorder fitted = run(request(folder.path(), {fit}));
  EXPECT_EQ(fitted.of(fit).cause, Cause::contract_error);
  EXPECT_THAT(fitted.of(fit).message, HasSubstr("labels:sure"));
}

TEST(Companions, MapsThatAreGoneAreToldByTheirFolder) {
  const TempFolder folder;
  const StageSpec seeds = cam_seeds("measure", 0, 9, /*trained=*/false);
  const StageSpec fit = fit_keeper(seeds, labels_of(seeds, kSure));
  const Recorder fitted = run(request(folder.path(), {fit}));
  EXPECT_EQ(fitted.of(fit).cause, Cause::user_error);
  EXPECT_THAT(fitted.of(fit).message, HasSubstr("The maps of an earlier stage are not there."));
}

}  // namespace
}  // namespace seedbed::stages
