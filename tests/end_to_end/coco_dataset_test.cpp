// COCO's annotations from the study file to the numbers: the same as those of the masks that were made of them.
#include <cstdlib>
#include <string>

#include <gtest/gtest.h>

#include "program_run.hpp"
#include "support/shared_folder.hpp"

namespace seedbed::testing {
namespace {

constexpr const char* kStudy = R"(schema = 1
[study]
name = "annotations"

[dataset]
kind = "coco"
root = "${SEEDBED_SHARED}/data/coco549"
annotations = "instances.json"
images = "JPEGImages"
lists = "ImageSets/Segmentation"
classes = "classes.csv"
protocol = "super12"
roles = { train = "train:8", select = "train:20..24", test = "val:8" }

[backbone]
method = "small_cnn"

[seed_generator]
method = "cam"
train = { epochs = 1, batch_size = 4, learning_rate = 0.05, input = "square:64" }
localise = { scales = [1.0], fusion = "plain", input = "square:64" }

[pseudo_label]
background = { rule = "threshold", choose = { on = "select" } }

[score]
targets = ["image_labels", "seeds", "pseudo_labels"]
roles = ["test"]

[[grid]]
  [[grid.axis]]
  name = "masks"
  levels = [
    { label = "drawn" },
    { label = "files", set = { dataset.kind = "voc", dataset.root = "${SEEDBED_SHARED}/data/coco549", dataset.classes = "classes.csv", dataset.protocol = "super12", dataset.labels = "cls_labels.txt", dataset.roles = { train = "train:8", select = "train:20..24", test = "val:8" } } },
  ]
)";

class CocoStudy : public ::testing::Test {
 protected:
  void SetUp() override {
    SEEDBED_SHARED_OR_SKIP(images, "data/coco549");
    ::setenv("SEEDBED_SHARED", images.parent_path().parent_path().c_str(), 1);
    folder_.write("study.toml", kStudy);
  }

  ScratchFolder folder_;
};

TEST_F(CocoStudy, IsDescribedAndChecked) {
  const auto info = seedbed_json({"datasets", "info", "study.toml", "--set", "grid=[]"}, folder_.path());
  EXPECT_EQ(info.at("kind"), "coco");
  EXPECT_EQ(info.at("classes").size(), 12U);
  EXPECT_EQ(info.at("roles").at(0).at("images"), 8);
  EXPECT_EQ(info.at("roles").at(0).at("masks"), true);
  EXPECT_EQ(info.at("roles").at(0).at("labels_only_in_masks"), 0);
  const auto check = seedbed_json({"datasets", "check", "study.toml", "--set", "grid=[]"}, folder_.path());
  EXPECT_TRUE(check.at("problems").empty()) << check;
  EXPECT_EQ(check.at("images"), 20);
}

TEST_F(CocoStudy, GivesTheNumbersOfItsMasks) {
  const auto summary = seedbed_json({"run", "study.toml", "--store", "coco.db", "--quiet"}, folder_.path());
  EXPECT_TRUE(summary.at("failures").empty()) << summary;
  const auto store = folder_.path() / "coco.db";
  EXPECT_EQ(sql(store, "SELECT count(*) FROM stages WHERE type = 'fit'").at(0).at(0), "1");  // equal images and labels
  const auto numbers = [&](const std::string& level) {
    return sql(store,
               "SELECT target, metric, class_name, rule, rule_value, value FROM v_metrics WHERE levels = 'masks=" +
                   level + "' ORDER BY target, metric, class_name, rule, purpose");
  };
  const auto drawn = numbers("drawn");
  EXPECT_GT(drawn.size(), 20U);
  EXPECT_EQ(drawn, numbers("files"));
}

}  // namespace
}  // namespace seedbed::testing
