// A refiner that asks a transformer for its attention: the study's network, or one of its own.
#include <string>

#include <gtest/gtest.h>

#include "program_run.hpp"
#include "small_study.hpp"

namespace seedbed::testing {
namespace {

const std::string kStudy = on_small_scenes("train = \"0..8\", test = \"8..12\"") + R"(
[backbone]
method = "small_cnn"
width = 8
[seed_generator]
method = "cam"
train = { epochs = 1, batch_size = 8, learning_rate = 0.05, augment = [] }
[[refiner]]
name = "attention"
method = "attention_affinity"
blocks = 2
enabled = false
[pseudo_label]
background = { rule = "threshold", value = 0.3 }
[score]
targets = ["pseudo_labels"]
roles = ["test"]

[[grid]]
  [[grid.axis]]
  name = "network"
  levels = [
    { label = "none" },
    { label = "own", set = { refiner.attention.enabled = true, refiner.attention.backbone = { method = "vit", width = 16, depth = 3, heads = 2, patch = 8, table_grid = 6 } } },
    { label = "own, deeper", set = { refiner.attention.enabled = true, refiner.attention.backbone = { method = "vit", width = 16, depth = 4, heads = 2, patch = 8, table_grid = 6 } } },
    { label = "the study's", set = { refiner.attention.enabled = true, backbone = { method = "vit", width = 16, depth = 3, heads = 2, patch = 8, table_grid = 6 } } },
  ]
)";

class AttentionRefiner : public ::testing::Test {
 protected:
  AttentionRefiner() { folder_.write("study.toml", kStudy); }

  std::vector<std::vector<std::string>> ask(const std::string& statement) const {
    return sql(folder_.path() / "a.db", statement);
  }

  const ScratchFolder folder_;
};

TEST_F(AttentionRefiner, AsksItsOwnNetworkOrTheStudys) {
  const auto summary = seedbed_json({"run", "study.toml", "--store", "a.db"}, folder_.path());
  EXPECT_TRUE(summary.at("failures").empty()) << summary.dump(1);
  // The network is part of the refinement and of its key, though nothing of it is fitted.
  const auto refinements = ask(
      "SELECT p.method, json_extract(p.parameters_json, '$.depth'), count(DISTINCT s.key) FROM stages s "
      "JOIN stage_plugins p ON p.stage_id = s.id WHERE s.node = 'attention' AND s.type = 'map' AND p.slot = 'backbone' "
      "GROUP BY 1, 2 ORDER BY 2");
  const std::vector<std::vector<std::string>> expected{{"vit", "3", "2"}, {"vit", "4", "1"}};
  EXPECT_EQ(refinements, expected);
  EXPECT_EQ(ask("SELECT count(*) FROM stages WHERE type = 'fit' AND operation = 'refiner'")[0][0], "0");
  EXPECT_EQ(
      ask("SELECT DISTINCT levels FROM v_seed_means WHERE metric = 'miou_union' AND target = 'pseudo_labels'").size(),
      4u);
  // It spreads the maps: what is labelled as foreground is another share of the pixels.
  EXPECT_EQ(ask("SELECT DISTINCT printf('%.17g', mean) FROM v_seed_means WHERE metric = 'pixel_accuracy' "
                "AND rule = 'fixed' AND levels IN ('network=none', 'network=own')")
                .size(),
            2u);
}

TEST_F(AttentionRefiner, IsRefusedBeforeAnythingRunsWhereItsNetworkHasNone) {
  const ProgramEnd end =
      seedbed({"run", "study.toml", "--store", "a.db", "--set", "refiner.attention.enabled=true", "--set", "grid=[]"},
              folder_.path());
  EXPECT_EQ(end.status, 2) << end.out << end.err;
  EXPECT_NE(end.err.find("this backbone lacks what `attention_affinity` needs: `attention`"), std::string::npos)
      << end.err;
}

}  // namespace
}  // namespace seedbed::testing
