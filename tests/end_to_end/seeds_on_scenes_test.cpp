// Every trained seed generator, run by its example study on procedural images, must find more than the two answers that
// need no training. A generator joins by one line of the table.
#include <algorithm>
#include <array>
#include <cstdint>
#include <iostream>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "dataset/dataset.hpp"
#include "dataset/scenes.hpp"
#include "program_run.hpp"

namespace seedbed::testing {
namespace {

struct ExampleStudy {
  const char* name;  ///< experiments/NAME.toml
  double margin;     ///< mIoU by which its seeds beat the better baseline, under one random seed
};

// Margins are about two thirds of what the studies reach. Only the study's own settings run here, without its grid; they
// are to take at most about 20 seconds of one core.
constexpr std::array kStudies{
    ExampleStudy{"cam_scenes", 0.35},         ExampleStudy{"grad_cam_scenes", 0.35},
    ExampleStudy{"grad_cam_pp_scenes", 0.35}, ExampleStudy{"layer_cam_scenes", 0.35},
    ExampleStudy{"score_cam_scenes", 0.35},   ExampleStudy{"seam_scenes", 0.35},
    ExampleStudy{"bas_scenes", 0.33},         ExampleStudy{"prm_scenes", 0.35},
    ExampleStudy{"drs_scenes", 0.16},         ExampleStudy{"usage_inferred_scenes", 0.08},
};

void PrintTo(const ExampleStudy& study, std::ostream* stream) { *stream << study.name; }

/// Pixels by label, over the images of a role; void ones are not counted.
class Counts {
 public:
  explicit Counts(std::size_t num_labels) : hit_(num_labels), truth_(num_labels), predicted_(num_labels) {}

  /// Counts an image whose every pixel is said to show `label`.
  void add(const std::vector<std::int64_t>& pixels_by_label, std::size_t label) {
    for (std::size_t k = 0; k < truth_.size(); ++k) {
      truth_[k] += pixels_by_label[k];
      predicted_[label] += pixels_by_label[k];
    }
    hit_[label] += pixels_by_label[label];
  }

  /// Mean over the labels that truth or prediction hold.
  double mean_iou() const {
    double sum = 0;
    int labels = 0;
    for (std::size_t k = 0; k < truth_.size(); ++k) {
      const std::int64_t either = truth_[k] + predicted_[k] - hit_[k];
      if (either == 0) continue;
      sum += static_cast<double>(hit_[k]) / static_cast<double>(either);
      ++labels;
    }
    return sum / labels;
  }

 private:
  std::vector<std::int64_t> hit_, truth_, predicted_;
};

struct Baselines {
  double all_background = 0;
  double whole_image = 0;  ///< the whole image shows one of its classes, the one that covers most of it
};

Baselines baselines_of(const dataset::Json& dataset_table, const std::string& role) {
  const auto dataset = dataset::Dataset::open(dataset_table);
  const dataset::SceneSettings settings = dataset::scene_settings(dataset->table());
  const auto num_labels = static_cast<std::size_t>(dataset->classes().num_classes()) + 1;
  Counts background(num_labels), whole(num_labels);
  for (const std::string& id : dataset->role(role).image_ids) {
    std::vector<std::int64_t> pixels(num_labels);
    for (const std::uint8_t label : dataset::render_scene(settings, dataset->entry(id).index).mask_hw) {
      if (label < num_labels) ++pixels[label];
    }
    background.add(pixels, 0);
    const auto largest = std::max_element(pixels.begin() + 1, pixels.end());
    whole.add(pixels, static_cast<std::size_t>(largest - pixels.begin()));
  }
  return {background.mean_iou(), whole.mean_iou()};
}

class SeedsOnScenes : public ::testing::TestWithParam<ExampleStudy> {};

TEST_P(SeedsOnScenes, BeatWhatNeedsNoTraining) {
  const std::string study = std::string(SEEDBED_EXPERIMENTS "/") + GetParam().name + ".toml";
  const ScratchFolder folder;
  const auto summary = seedbed_json(
      {"run", study, "--store", "s.db", "--quiet", "--set", "grid=[]", "--set", "study.random_seeds=[0]", "--set",
       "score.targets=[\"seeds\"]", "--set", "score.roles=[\"test\"]", "--set", "execution.workers=1"},
      folder.path());
  ASSERT_TRUE(summary.at("failures").empty()) << summary.dump(2);

  const auto store = folder.path() / "s.db";
  const auto cells = sql(store, "SELECT json_extract(resolved_json, '$.dataset') FROM cells");
  ASSERT_EQ(cells.size(), 1u) << "the study's own settings are one cell";
  const Baselines baselines = baselines_of(dataset::Json::parse(cells[0][0]), "test");
  const auto found = sql(store,
                         "SELECT printf('%.17g', value) FROM v_metrics WHERE metric = 'miou_union' AND "
                         "class_name = '' AND target = 'seeds' AND role = 'test' AND rule = 'chosen'");
  ASSERT_EQ(found.size(), 1u) << "the threshold is chosen on `select`";
  const double miou = std::stod(found[0][0]);
  RecordProperty("miou", std::to_string(miou));
  std::cout << "mIoU " << miou << ", all background " << baselines.all_background << ", whole image "
            << baselines.whole_image << '\n';
  EXPECT_GT(miou, std::max(baselines.all_background, baselines.whole_image) + GetParam().margin)
      << "all background " << baselines.all_background << ", whole image " << baselines.whole_image;
}

INSTANTIATE_TEST_SUITE_P(Generators, SeedsOnScenes, ::testing::ValuesIn(kStudies),
                         [](const auto& study) { return std::string(study.param.name); });

}  // namespace
}  // namespace seedbed::testing
