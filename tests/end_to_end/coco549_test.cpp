// Real images and real weights, from the study file to the numbers in the store.
#include <cstdlib>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "program_run.hpp"
#include "support/shared_folder.hpp"

namespace seedbed::testing {
namespace {

double number(const std::filesystem::path& store, const std::string& backbone, const std::string& name,
              const std::string& target, const std::string& rule) {
  const auto rows = sql(
      store, "SELECT value FROM v_metrics WHERE role = 'test' AND class_name = '' AND levels = 'backbone=" + backbone +
                 "' AND metric = '" + name + "' AND target = '" + target + "' AND rule = '" + rule + "'");
  EXPECT_EQ(rows.size(), 1u) << name << " of " << target << " with " << backbone;
  return rows.empty() ? 0.0 : std::stod(rows[0][0]);
}

// One random seed of the study and fewer passes of the segmenter; all three are run by hand, and their numbers stand in
// the study file.
TEST(Coco549, FrozenSqueezeNetReachesItsReference) {
  SEEDBED_SHARED_OR_SKIP(images, "data/coco549");
  ::setenv("SEEDBED_SHARED", images.parent_path().parent_path().c_str(), 1);
  const ScratchFolder folder;
  const auto summary = seedbed_json({"run", SEEDBED_EXPERIMENTS "/coco549_squeezenet.toml", "--store", "coco.db",
                                     "--set", "study.random_seeds=[0]", "--set", "segmenter.train.epochs=4", "--quiet"},
                                    folder.path());
  EXPECT_TRUE(summary.at("failures").empty());
  const auto store = folder.path() / "coco.db";
  constexpr double kAllBackground = 0.053;  // of these masks: ../shared/data/coco549/SOURCE.md
  EXPECT_GE(number(store, "SqueezeNet", "map_macro", "image_labels", ""), 0.62);
  const double oracle = number(store, "SqueezeNet", "miou_union", "seeds", "oracle");
  EXPECT_GE(oracle, 0.18);
  const double chosen = number(store, "SqueezeNet", "miou_union", "seeds", "chosen");
  EXPECT_GT(chosen, kAllBackground);
  EXPECT_LE(chosen, oracle);
  EXPECT_GT(number(store, "SqueezeNet", "miou_union", "predictions", ""), kAllBackground);
  constexpr double kPrevalence = 0.211;  // mean share of images with a class: the same file
  const double scratch = number(store, "from scratch", "map_macro", "image_labels", "");
  EXPECT_GT(scratch, kPrevalence);
  EXPECT_LT(scratch, 0.5);  // 340 images do not stand for ImageNet
  EXPECT_LT(number(store, "from scratch", "miou_union", "seeds", "oracle"), oracle);
  const auto table = seedbed({"results", "table", "--store", "coco.db"}, folder.path());
  EXPECT_NE(table.out.find("oracle"), std::string::npos) << table.out << table.err;
}

// Seven refiners, two segmenters: what they have in common is planned once, and the study is right in every cell.
TEST(Coco549, RefinersShareTheirSeeds) {
  SEEDBED_SHARED_OR_SKIP(images, "data/coco549");
  ::setenv("SEEDBED_SHARED", images.parent_path().parent_path().c_str(), 1);
  const ScratchFolder folder;
  const auto plan = seedbed_json({"plan", SEEDBED_EXPERIMENTS "/coco549_refiners.toml"}, folder.path());
  EXPECT_EQ(plan.at("cells").size(), 7u);
  const auto cells_of = [&](const std::string& label) {
    std::vector<int> cells;
    for (const auto& stage : plan.at("stages"))
      if (stage.at("label") == label) cells.push_back(stage.at("cells").get<int>());
    return cells;
  };
  EXPECT_EQ(cells_of("fit seed_generator on train"), std::vector<int>{7});
  EXPECT_EQ(cells_of("map seeds on test"), std::vector<int>{7});
  EXPECT_EQ(cells_of("map seeds on train"), std::vector<int>{2});  // for the two segmenters
  EXPECT_EQ(cells_of("fit segmenter on train"), (std::vector<int>{1, 1}));
  EXPECT_EQ(cells_of("fit random_walk_irn on train"), std::vector<int>{1});
}

}  // namespace
}  // namespace seedbed::testing
