// A study names every loss that there is, with weights and schedules, and strategies that bring their own.
#include <algorithm>
#include <map>
#include <set>
#include <string>

#include <gtest/gtest.h>

#include "program_run.hpp"
#include "small_study.hpp"

namespace seedbed::testing {
namespace {

std::string losses_study() {
  return on_small_scenes("train = \"0..24\", test = \"30..36\"") + R"(
[study]
name = "losses"

[backbone]
method = "small_cnn"
width = 8

[seed_generator]
method = "cam"
train = { epochs = 1, batch_size = 8, learning_rate = 0.05 }

[pseudo_label]
background = { rule = "threshold", value = 0.3, confidence = true }

[segmenter]
head = { method = "linear" }
loss = [
  { method = "cross_entropy", label_smoothing = 0.1, weight = 2.0 },
  { method = "cross_entropy", name = "halves", balance = "halves" },
  { method = "ohem_cross_entropy", keep_at_least = 100 },
  { method = "bootstrapped_cross_entropy" },
  { method = "confidence_weighted_cross_entropy", preset = "mars" },
  { method = "focal" },
  { method = "dice" },
  { method = "locally_adaptive" },
  { method = "seed" },
  { method = "expand" },
  { method = "constrain" },
  { method = "dense_energy" },
  { method = "gated_crf" },
  { method = "affinity" },
  { method = "boundary", side_taps = ["stage1", "stage2"], class_tap = "stage3" },
]
train = { epochs = 2, batch_size = 8, learning_rate = 0.01, drop_last = true }

[score]
targets = ["predictions"]
roles = ["test"]

[[grid]]
  [[grid.axis]]
  name = "strategy"
  levels = [
    { label = "supervised", set = { segmenter.train.terms = { dice = { weight = 0.5, from = 2 }, focal = { weight = 0.0 } } } },
    { label = "sec", set = { segmenter.strategy.method = "sec", segmenter.loss = [] } },
    { label = "dsrg", set = { segmenter.strategy.method = "dsrg", segmenter.loss = [{ method = "dice" }], segmenter.train.terms.dice = { weight = 0.5, from = 2 } } },
  ]
)";
}

using Texts = std::set<std::string>;

class Losses : public ::testing::Test {
 protected:
  Losses() {
    folder_.write("study.toml", losses_study());
    result_ = seedbed_json({"run", "study.toml", "--store", "a.db"}, folder_.path());
  }

  std::vector<std::vector<std::string>> rows(const std::string& statement) const {
    return sql(folder_.path() / "a.db", statement);
  }

  const ScratchFolder folder_;
  nlohmann::ordered_json result_;
};

TEST_F(Losses, GiveTermsWithTheirWeightsAndSchedulesUnderEveryStrategy) {
  EXPECT_TRUE(result_.at("failures").empty()) << result_.dump();
  // The curve of each term of each fit of a segmenter, and where it begins.
  std::map<std::string, Texts> terms;  // by stage
  std::map<std::string, double> first_of_dice;
  for (const auto& row : rows("SELECT s.key, c.name, min(p.x), min(p.y) FROM curve_points p "
                              "JOIN curves c ON c.id = p.curve_id JOIN attempts a ON a.id = c.attempt_id "
                              "JOIN stages s ON s.id = a.stage_id WHERE c.name LIKE 'loss.%' GROUP BY 1, 2")) {
    terms[row[0]].insert(row[1]);
    if (row[1] == "loss.dice") first_of_dice[row[0]] = std::stod(row[2]);
  }
  const Texts all{"loss.cross_entropy",
                  "loss.halves",
                  "loss.ohem_cross_entropy",
                  "loss.bootstrapped_cross_entropy",
                  "loss.confidence_weighted_cross_entropy",
                  "loss.dice",
                  "loss.locally_adaptive",
                  "loss.seed",
                  "loss.expand",
                  "loss.constrain",
                  "loss.dense_energy",
                  "loss.gated_crf",
                  "loss.affinity",
                  "loss.boundary"};
  std::set<Texts> found;
  for (const auto& [key, names] : terms) found.insert(names);
  EXPECT_TRUE(found.contains(all)) << "supervised: all but focal, whose weight is 0";
  EXPECT_TRUE(found.contains(Texts{"loss.constrain", "loss.expand", "loss.seed"})) << "sec";
  EXPECT_TRUE(found.contains(Texts{"loss.constrain", "loss.dice", "loss.seed"})) << "dsrg and one loss of the study";
  EXPECT_EQ(first_of_dice.size(), 2u);
  for (const auto& [key, step] : first_of_dice) EXPECT_EQ(step, 2.0);

  // Strategies of seeds open image labels, and nobody opens masks.
  const auto opened = rows(
      "SELECT DISTINCT l.kind FROM ledger l JOIN attempts a ON a.id = l.attempt_id "
      "JOIN stages s ON s.id = a.stage_id WHERE l.purpose = 'train' AND s.operation = 'segmenter'");
  Texts kinds;
  for (const auto& row : opened) kinds.insert(row[0]);
  EXPECT_TRUE(kinds.contains("image_labels"));
  EXPECT_FALSE(kinds.contains("masks"));

  EXPECT_EQ(rows("SELECT count(*) FROM metrics WHERE name = 'miou_union' AND target = 'predictions'")[0][0], "3");
}

}  // namespace
}  // namespace seedbed::testing
