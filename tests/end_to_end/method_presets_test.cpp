// Presets that name other methods, each run once: it trains, and what it names takes part.
#include <set>
#include <string>

#include <gtest/gtest.h>

#include "program_run.hpp"
#include "small_study.hpp"

namespace seedbed::testing {
namespace {

// Cells of two pixels everywhere, so that the published radii fit into images of 48.
const std::string kScenes = on_small_scenes("train = \"0..8\", test = \"8..10\"") + R"(
[backbone]
method = "small_cnn"
width = 8
output_stride = 2
[seed_generator]
method = "cam"
train = { epochs = 1, batch_size = 8, learning_rate = 0.05 }
)";

// The presets as they are, but for the length of training and the size of images. `augment` ends in crops of published sizes.
const std::string kWalks = R"(
[[refiner]]
name = "irn"
method = "random_walk_irn"
preset = "released"
enabled = false
pad_to_px = 0
log_steps = 1
displacement_widths = [8, 8, 8, 8, 8]
train = { epochs = 1, batch_size = 8, augment = ["flip"] }

[[refiner]]
name = "psa"
method = "random_walk_psa"
preset = "released"
enabled = false
log_steps = 1
train = { epochs = 1, batch_size = 8, augment = ["flip"] }

[[refiner]]
name = "pooled"
method = "random_walk_psa_pooled"
preset = "released"
enabled = false
log_steps = 1
train = { epochs = 1, batch_size = 8, augment = ["flip"] }

[pseudo_label]
background = { rule = "argmax" }
[score]
targets = ["pseudo_labels"]
roles = ["test"]

[[grid]]
  [[grid.axis]]
  name = "preset"
  levels = [
    { label = "irn", set = { refiner.irn.enabled = true, pseudo_label.background = { rule = "threshold", value = 0.3 } } },
    { label = "bas", set = { refiner.irn.enabled = true, refiner.irn.preset = "bas", pseudo_label.background = { rule = "threshold", value = 0.3 } } },
    { label = "psa", set = { refiner.psa.enabled = true } },
    { label = "psa mctformer", set = { refiner.psa.enabled = true, refiner.psa.preset = "mctformer", refiner.psa.log_steps = 1 } },
    { label = "pooled", set = { refiner.pooled.enabled = true } },
    { label = "pooled mctformer", set = { refiner.pooled.enabled = true, refiner.pooled.preset = "mctformer", refiner.pooled.log_steps = 1 } },
  ]
)";

const std::string kSlots = R"(
[[refiner]]
method = "argmax"
background = { rule = "threshold", value = 0.3 }
[[refiner]]
method = "mars"
preset = "paper"
[pseudo_label]
[segmenter]
head = { method = "linear" }
train = { epochs = 2, batch_size = 4, augment = ["flip"] }
[score]
targets = ["pseudo_labels", "predictions"]
roles = ["test"]

[[grid]]
  [[grid.axis]]
  name = "preset"
  levels = [
    { label = "ema_fill", set = { segmenter.strategy = { method = "ema_fill", preset = "paper" } } },
    { label = "adele released", set = { segmenter.strategy = { method = "adele", preset = "released", relative_change = 0.0, refine_from_epoch = 1 } } },
    { label = "adele paper", set = { segmenter.strategy = { method = "adele", preset = "paper", relative_change = 0.0, refine_from_epoch = 1 } } },
  ]
)";

class MethodPresets : public ::testing::Test {
 protected:
  void run(const std::string& study) const {
    folder_.write("study.toml", kScenes + study);
    const auto summary = seedbed_json({"run", "study.toml", "--store", "a.db"}, folder_.path());
    EXPECT_TRUE(summary.at("failures").empty()) << summary.dump(1);
  }

  std::vector<std::vector<std::string>> ask(const std::string& statement) const {
    return sql(folder_.path() / "a.db", statement);
  }

  // What fills a slot in the stages that ran, with its number of iterations.
  std::set<std::vector<std::string>> in_slot(const std::string& slot) const {
    const auto rows = ask(
        "SELECT p.method, json_extract(p.parameters_json, '$.iterations') FROM stage_plugins p JOIN stages s ON s.id = "
        "p.stage_id WHERE s.state = 'done' AND p.slot = '" +
        slot + "'");
    return {rows.begin(), rows.end()};
  }

  // Target and level of every number.
  std::size_t num_scores(const std::string& target) const {
    return ask("SELECT DISTINCT levels FROM v_seed_means WHERE metric = 'miou_union' AND mean BETWEEN 0 AND 1 AND "
               "target = '" +
               target + "'")
        .size();
  }

  const ScratchFolder folder_;
};

TEST_F(MethodPresets, WalksAreTrainedOnLabelsThatADenseCrfCleaned) {
  run(kWalks);
  EXPECT_EQ(num_scores("pseudo_labels"), 6u);
  EXPECT_EQ(
      ask("SELECT DISTINCT node FROM stages WHERE type = 'fit' AND operation = 'refiner' AND state = 'done'").size(),
      3u);
  const auto cleaning =
      ask("SELECT p.method, count(DISTINCT s.key) FROM stage_plugins p JOIN stages s ON s.id = p.stage_id "
          "WHERE s.state = 'done' AND s.type = 'map' AND p.slot = 'refiner' AND p.method LIKE 'dense_crf%' "
          "GROUP BY 1 ORDER BY 1");
  ASSERT_EQ(cleaning.size(), 2u);
  // A strong and a weak background each: of one of its presets PSA's maps and its labels share none.
  EXPECT_EQ(cleaning[0][0], "dense_crf");
  EXPECT_EQ(cleaning[1][0], "dense_crf_labels");
  EXPECT_GE(std::stoi(cleaning[0][1]), 4);
  EXPECT_GE(std::stoi(cleaning[1][1]), 3) << "IRN's 0.30 is BAS's too, 0.05 and 0.17 are not";
}

TEST_F(MethodPresets, SlotsThatThePapersFillWithADenseCrfHoldOne) {
  run(kSlots);
  EXPECT_EQ(num_scores("predictions"), 3u);
  const std::set<std::vector<std::string>> crf{{"dense_crf", "10"}};
  EXPECT_EQ(in_slot("refiner.similarity_refiner"), crf);
  EXPECT_EQ(in_slot("strategy.label_refiner"), crf);
}

}  // namespace
}  // namespace seedbed::testing
