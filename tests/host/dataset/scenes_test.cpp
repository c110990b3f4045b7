#include "dataset/scenes.hpp"

#include <algorithm>
#include <set>
#include <string>

#include <gtest/gtest.h>

#include "digest/sha256.hpp"

namespace seedbed::dataset {
namespace {

std::string digest_of(const Scene& scene) {
  digest::Sha256 hash;
  hash.update(std::as_bytes(std::span(scene.image_hwc)));
  hash.update(std::as_bytes(std::span(scene.mask_hw)));
  hash.update(std::as_bytes(std::span(scene.saliency_hw)));
  for (std::int64_t label : scene.image_labels) hash.update(" " + std::to_string(label));
  return hash.hex().substr(0, 16);
}

// A change here changes every result on scenes: raise kScenesRevision with it.
TEST(Scenes, AreTheSameOnEveryMachine) {
  ASSERT_EQ(kScenesRevision, 1);
  EXPECT_EQ(digest_of(render_scene({}, 0)), "1b795b780f066a06");
  EXPECT_EQ(digest_of(render_scene({}, 12345)), "2b0033d2e82e6e5e");
  const SceneSettings busy{.height_px = 65, .width_px = 130, .num_classes = 8, .max_objects = 5, .world_seed = 7};
  EXPECT_EQ(digest_of(render_scene(busy, 3)), "264e6e88dfd3db59");
}

TEST(Scenes, AnotherIndexOrWorldIsAnotherScene) {
  const std::string first = digest_of(render_scene({}, 0));
  EXPECT_NE(digest_of(render_scene({}, 1)), first);
  EXPECT_NE(digest_of(render_scene({.world_seed = 1}, 0)), first);
}

TEST(Scenes, HoldWhatTheyPromise) {
  const SceneSettings settings{.height_px = 48, .width_px = 64, .num_classes = 5, .max_objects = 4};
  std::set<std::int64_t> seen;
  for (std::int64_t index = 0; index < 60; ++index) {
    SCOPED_TRACE(index);
    const Scene scene = render_scene(settings, index);
    ASSERT_EQ(scene.image_hwc.size(), 48U * 64U * 3U);
    ASSERT_EQ(scene.mask_hw.size(), 48U * 64U);
    std::set<std::int64_t> labels;
    for (std::size_t i = 0; i < scene.mask_hw.size(); ++i) {
      const std::int64_t label = scene.mask_hw[i];
      EXPECT_EQ(scene.saliency_hw[i] == 255, label != 0);
      EXPECT_TRUE(label <= 5 || label == 255);
      EXPECT_EQ(scene.instances_hw[i] == 0, label == 0);
      EXPECT_EQ(scene.instances_hw[i] == 255, label == 255);
      if (label != 0 && label != 255) labels.insert(label);
    }
    EXPECT_EQ(std::vector(labels.begin(), labels.end()), scene.image_labels);
    EXPECT_FALSE(labels.empty());
    seen.insert(labels.begin(), labels.end());
  }
  EXPECT_EQ(seen.size(), 5U);
}

TEST(Scenes, TellObjectsOfOneClassApart) {
  const SceneSettings settings{.num_classes = 1, .max_objects = 4};
  std::size_t most = 0;
  for (std::int64_t index = 0; index < 20; ++index) {
    std::set<std::uint8_t> objects;
    for (const std::uint8_t object : render_scene(settings, index).instances_hw) {
      if (object != 0 && object != 255) objects.insert(object);
    }
    EXPECT_LE(objects.size(), 4U);
    most = std::max(most, objects.size());
  }
  EXPECT_GT(most, 2U);
}

TEST(Scenes, NameTheirClasses) {
  EXPECT_EQ(scene_class_names({.num_classes = 2}), (std::vector<std::string>{"disc", "square"}));
  EXPECT_EQ(scene_class_names({.num_classes = 8}).size(), 8U);
}

}  // namespace
}  // namespace seedbed::dataset
