// Real images and real weights, from the study file to the numbers in the store.
#include <cstdlib>
#include <string>

#include <gtest/gtest.h>

#include "program_run.hpp"
#include "support/shared_folder.hpp"

namespace seedbed::testing {
namespace {

double number(const std::filesystem::path& store, const std::string& name, const std::string& target,
              const std::string& rule) {
  const auto rows = sql(store,
                        "SELECT m.value FROM metrics m JOIN attempts a ON a.id = m.attempt_id "
                        "JOIN stages s ON s.id = a.stage_id WHERE s.role = 'test' AND m.class_name = '' "
                        "AND m.name = '" +
                            name + "' AND m.target = '" + target + "' AND m.rule = '" + rule + "'");
  EXPECT_EQ(rows.size(), 1u) << name << " of " << target;
  return rows.empty() ? 0.0 : std::stod(rows[0][0]);
}

// One random seed of the study; all three are run by hand; their numbers stand in the study file.
TEST(Coco549, FrozenSqueezeNetReachesItsReference) {
  SEEDBED_SHARED_OR_SKIP(images, "data/coco549");
  ::setenv("SEEDBED_SHARED", images.parent_path().parent_path().c_str(), 1);
  const ScratchFolder folder;
  const auto summary = seedbed_json({"run", SEEDBED_EXPERIMENTS "/coco549_squeezenet.toml", "--store", "coco.db",
                                     "--set", "study.random_seeds=[0]", "--quiet"},
                                    folder.path());
  EXPECT_TRUE(summary.at("failures").empty());
  const auto store = folder.path() / "coco.db";
  constexpr double kAllBackground = 0.053;  // of these masks: ../shared/data/coco549/SOURCE.md
  EXPECT_GE(number(store, "map_macro", "image_labels", ""), 0.62);
  const double oracle = number(store, "miou_union", "seeds", "oracle");
  EXPECT_GE(oracle, 0.18);
  const double chosen = number(store, "miou_union", "seeds", "chosen");
  EXPECT_GT(chosen, kAllBackground);
  EXPECT_LE(chosen, oracle);
  EXPECT_GT(number(store, "miou_union", "predictions", ""), kAllBackground);
  const auto table = seedbed({"results", "table", "--store", "coco.db"}, folder.path());
  EXPECT_NE(table.out.find("oracle"), std::string::npos) << table.out << table.err;
}

}  // namespace
}  // namespace seedbed::testing
