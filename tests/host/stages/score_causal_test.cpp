// Insertion and deletion: the classifier is asked for altered images.
#include <algorithm>
#include <string>

#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include "protocol/artefact_paths.hpp"
#include "stage_requests.hpp"
#include "support/temp_folder.hpp"
#include "weights/safetensors.hpp"

namespace seedbed::stages {
namespace {

using protocol::StageState;
using seedbed::testing::TempFolder;
using ::testing::Contains;
using ::testing::Field;
using ::testing::HasSubstr;

void see_each_image_once(StageSpec& seeds) {
  seeds.settings["scales"] = {1.0};
  seeds.settings["flip"] = false;
}

StageSpec brightness_seeds() {
  StageSpec seeds = cam_seeds("measure", 0, 6, /*trained=*/false);
  seeds.methods = {{"generator", fixture("good", "fixture.brightness")}};
  see_each_image_once(seeds);
  return seeds;
}

StageSpec causal_score(const StageSpec& seeds, const Json& metrics) {
  StageSpec spec = stage(StageType::score, "causal", "causal " + seeds.node, seeds.image_ids);
  spec.methods = seeds.methods;
  spec.settings = {{"target", "seeds"}, {"metrics", metrics}, {"input", "native"}};
  spec.inputs = seeds.inputs;
  spec.inputs.push_back({"maps", seeds.key});
  spec.random_seed = 0;
  return spec;
}

StageSpec classification_score(const StageSpec& seeds) {
  StageSpec spec = stage(StageType::score, "classification", "classes " + seeds.node, seeds.image_ids);
  spec.settings = {{"target", "image_labels"}};
  spec.inputs = {{"maps", seeds.key}};
  return spec;
}

/// What `score classification` wrote: the logits of the images as they are.
struct ImageScores {
  at::Tensor scores_nc, labels_nc;

  double mean_of_pairs() const { return scores_nc.masked_select(labels_nc).to(at::kDouble).mean().item<double>(); }
};

ImageScores image_scores(const TempFolder& folder, const StageSpec& classification) {
  const auto file = weights::SafetensorsFile::open(
      folder.path() / "artefacts" / protocol::stage_folder(classification.key) / "per_image.safetensors");
  return {file->tensor("scores"), file->tensor("labels").to(at::kBool)};
}

std::vector<double> curve(const protocol::StageResult& result, const std::string& name) {
  const auto found = std::ranges::find(result.curves, name, &protocol::Curve::name);
  if (found == result.curves.end()) return {};
  EXPECT_EQ(found->x.front(), 0);
  EXPECT_EQ(found->x.back(), 1);
  return found->y;
}

// Of a network that adds up pixels, what appears and what vanishes make up the image: the two areas add up to its score,
// whatever the map says. The map is the brightness itself, so what appears first counts most.
TEST(ScoreCausal, OfANetworkThatAddsUpPixelsIsKnown) {
  const TempFolder folder;
  const StageSpec seeds = brightness_seeds(), classes = classification_score(seeds);
  const StageSpec causal = causal_score(
      seeds, {"insertion_20_grey_logit", "deletion_20_grey_logit", "insertion_1_grey_logit", "deletion_1_grey_logit"});
  const Recorder recorder = run(request(folder.path(), {seeds, classes, causal}));
  const auto& result = recorder.of(causal);
  ASSERT_EQ(result.state, StageState::done) << result.message;
  const double whole = image_scores(folder, classes).mean_of_pairs();
  const double insertion = metric(result, "insertion_20_grey_logit"),
               deletion = metric(result, "deletion_20_grey_logit");
  EXPECT_NEAR(insertion + deletion, whole, 1e-4);
  EXPECT_GT(insertion, deletion + 0.01);
  EXPECT_NEAR(metric(result, "insertion_1_grey_logit"), whole / 2, 1e-4);
  EXPECT_NEAR(metric(result, "deletion_1_grey_logit"), whole / 2, 1e-4);
  EXPECT_NEAR(curve(result, "insertion_20_grey_logit").front(), 0, 1e-6) << "the mean colour is 0";
  EXPECT_EQ(curve(result, "insertion_20_grey_logit").size(), 21U);
}

TEST(ScoreCausal, AsksTheFittedNetwork) {
  const TempFolder folder;
  const StageSpec fit = fit_cam();
  ASSERT_EQ(run(request(folder.path(), {fit})).of(fit).state, StageState::done);
  StageSpec seeds = cam_seeds("measure", 0, 6);
  see_each_image_once(seeds);
  const StageSpec classes = classification_score(seeds);
  const StageSpec causal =
      causal_score(seeds, {"insertion_3_blur_logit", "deletion_3_grey_logit", "insertion_3_blur_probability"});
  const Recorder recorder = run(request(folder.path(), {seeds, classes, causal}));
  const auto& result = recorder.of(causal);
  ASSERT_EQ(result.state, StageState::done) << result.message;
  const double whole = image_scores(folder, classes).mean_of_pairs();
  EXPECT_NEAR(curve(result, "insertion_3_blur_logit").back(), whole, 1e-4);
  EXPECT_NEAR(curve(result, "deletion_3_grey_logit").front(), whole, 1e-4);
  EXPECT_NE(curve(result, "insertion_3_blur_logit").front(), curve(result, "deletion_3_grey_logit").back());
  EXPECT_GT(metric(result, "insertion_3_blur_probability"), 0);
  EXPECT_LT(metric(result, "insertion_3_blur_probability"), 1);
  for (const protocol::Metric& found : result.metrics)
    EXPECT_EQ(found.unit, found.name.ends_with("_logit") ? "logit" : "1") << found.name;
  EXPECT_THAT(result.ledger, Contains(Field(&protocol::LedgerEntry::kind, "image_labels")));
  EXPECT_THAT(result.ledger, Not(Contains(Field(&protocol::LedgerEntry::kind, "masks"))));
}

TEST(ScoreCausal, CountsPairsOfImagesAndClasses) {
  const TempFolder folder;
  StageSpec seeds = cam_seeds("measure", 0, 6, /*trained=*/false);
  see_each_image_once(seeds);
  seeds.settings["labels"] = "predicted";
  const StageSpec classes = classification_score(seeds), causal = causal_score(seeds, {"deletion_2_grey_logit"});
  const Recorder recorder = run(request(folder.path(), {seeds, classes, causal}));
  const auto& facts = recorder.of(causal).facts;
  ASSERT_EQ(recorder.of(causal).state, StageState::done) << recorder.of(causal).message;
  EXPECT_EQ(facts.at("pairs").get<std::int64_t>() + facts.at("pairs_without_map").get<std::int64_t>(),
            image_scores(folder, classes).labels_nc.sum().item<std::int64_t>());
}

TEST(ScoreCausal, AGeneratorThatPromisedScoresMustGiveThem) {
  const TempFolder folder;
  StageSpec seeds = brightness_seeds();
  seeds.methods.at("generator").parameters["logits"] = false;
  const StageSpec causal = causal_score(seeds, {"insertion_2_grey_logit"});
  const Recorder recorder = run(request(folder.path(), {seeds, causal}));
  EXPECT_EQ(recorder.of(causal).cause, protocol::Cause::contract_error);
  EXPECT_THAT(recorder.of(causal).message, HasSubstr("image-level scores"));
}

}  // namespace
}  // namespace seedbed::stages
