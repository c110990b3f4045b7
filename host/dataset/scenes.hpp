#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "dataset/dataset.hpp"

namespace seedbed::dataset {

/// Settings of the procedural scenes. Same settings and index: same bytes on any machine (integer arithmetic only).
struct SceneSettings {
  std::int64_t height_px = 96;
  std::int64_t width_px = 96;
  std::int64_t num_classes = 4;  ///< 1..8, told apart by shape and texture
  std::int64_t max_objects = 3;  ///< >= 1
  std::uint64_t world_seed = 0;  ///< another world: other colours and placements
};

/// The settings in a `[dataset]` table of kind `scenes`. Throws: UserErrors.
SceneSettings scene_settings(const Json& table);

/// One scene: rows top to bottom.
struct Scene {
  std::int64_t height_px = 0;
  std::int64_t width_px = 0;
  std::vector<std::uint8_t> image_hwc;     ///< height * width * 3, RGB
  std::vector<std::uint8_t> mask_hw;       ///< height * width, labels 0..C, 255 on the outermost pixels of objects
  std::vector<std::uint8_t> saliency_hw;   ///< height * width, 0 or 255: any object
  std::vector<std::uint8_t> instances_hw;  ///< height * width, 0, one number an object, 255 as in the mask
  std::vector<std::int64_t> image_labels;  ///< sorted classes with at least one visible pixel
};

/// Threads: [any-thread].
Scene render_scene(const SceneSettings& settings, std::int64_t index);

/// Foreground class names of the settings: "disc", "square" ...
std::vector<std::string> scene_class_names(const SceneSettings& settings);

/// Raised whenever a pixel of any scene changes.
inline constexpr std::int64_t kScenesRevision = 1;

}  // namespace seedbed::dataset
