#include <algorithm>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "dataset/class_table.hpp"
#include "dataset/csv.hpp"
#include "dataset/dataset_kinds.hpp"
#include "dataset/roles.hpp"
#include "dataset/scene_appearance.hpp"
#include "dataset/scenes.hpp"
#include "dataset/table_reader.hpp"
#include "digest/sha256.hpp"
#include "seedbed/error.hpp"

namespace seedbed::dataset {
namespace {

// Ids sort like the scenes: "scene-00017".
std::string scene_id(std::int64_t index) {
  const std::string digits = std::to_string(index);
  return "scene-" + std::string(digits.size() < 5 ? 5 - digits.size() : 0, '0') + digits;
}

constexpr std::int64_t kMostScenes = 1'000'000;

// "0..200": scenes 0 to 199.
std::vector<std::string> scenes_of_list(const std::string& list, const std::string& where) {
  const std::size_t dots = list.find("..");
  const auto begin = dots == std::string::npos ? std::nullopt : whole_number(list.substr(0, dots));
  const auto end = dots == std::string::npos ? std::nullopt : whole_number(list.substr(dots + 2));
  if (!begin || !end || *begin < 0 || *end <= *begin || *end > kMostScenes)
    throw UserError(where, "A role of scenes is a range of numbers: `" + list + "`.",
                    "`0..200` takes scenes 0 to 199; there are 1000000.");
  std::vector<std::string> ids;
  for (std::int64_t index = *begin; index < *end; ++index) ids.push_back(scene_id(index));
  return ids;
}

std::int64_t scene_index(const std::string& id) { return whole_number(id.substr(6)).value(); }

// Around the visible pixels of each object, in the order of their numbers; its class is the one of its first pixel.
std::vector<Box> boxes_of(const Scene& scene) {
  std::map<std::uint8_t, Box> boxes;
  for (std::int64_t y = 0; y < scene.height_px; ++y)
    for (std::int64_t x = 0; x < scene.width_px; ++x) {
      const auto pixel = static_cast<std::size_t>(y * scene.width_px + x);
      const std::uint8_t object = scene.instances_hw[pixel];
      if (object == 0 || object == 255) continue;
      const auto left = static_cast<double>(x), top = static_cast<double>(y);
      Box& box = boxes.try_emplace(object, Box{scene.mask_hw[pixel], left, top, left, top}).first->second;
      box.left = std::min(box.left, left);
      box.right = std::max(box.right, left + 1);
      box.bottom = std::max(box.bottom, top + 1);
    }
  std::vector<Box> list;
  for (const auto& [object, box] : boxes) list.push_back(box);
  return list;
}

class ScenesDataset final : public Dataset {
 public:
  ScenesDataset(Json table, SceneSettings settings) : table_(std::move(table)), settings_(settings) {
    classes_ = plain_classes(scene_class_names(settings_));
  }

  void set_roles(std::vector<Role> roles) {
    roles_ = std::move(roles);
    for (Role& role : roles_) {
      role.has_masks = true;
      for (const std::string& id : role.image_ids) {
        ImageEntry& entry = entries_[id];
        entry.id = id;
        entry.index = scene_index(id);
      }
    }
  }

  std::string kind() const override { return "scenes"; }
  const ClassTable& classes() const override { return classes_; }
  const std::vector<Role>& roles() const override { return roles_; }
  const Json& table() const override { return table_; }

  const ImageEntry& entry(std::string_view image_id) const override {
    const auto found = entries_.find(image_id);
    if (found != entries_.end()) return found->second;
    throw UserError("dataset", "No role lists this image: `" + std::string(image_id) + "`.",
                    "`datasets info` shows the roles and their images.");
  }

  std::optional<std::vector<std::int64_t>> image_labels(std::string_view image_id) const override {
    return labels_of(entry(image_id).index);
  }

  std::vector<Box> boxes(std::string_view image_id) const override {
    return boxes_of(render_scene(settings_, entry(image_id).index));
  }

  // Scenes are what their settings and their number say; nothing is drawn for a digest.
  std::string digest(const std::vector<std::string>& image_ids, Content content, std::string_view side) const override {
    if (content == Content::side && side != "saliency" && side != "boxes")
      throw UserError("dataset.side", "Scenes have no such side input: `" + std::string(side) + "`.",
                      "They have `saliency` and `boxes`.");
    digest::Sha256 hash;
    hash.update("scenes " + std::to_string(kScenesRevision) + " content " + std::to_string(static_cast<int>(content)));
    for (std::int64_t value : {settings_.height_px, settings_.width_px, settings_.num_classes, settings_.max_objects,
                               static_cast<std::int64_t>(settings_.world_seed)})
      hash.update(" " + std::to_string(value));
    if (side == "boxes") hash.update(" boxes");
    for (const std::string& id : image_ids) hash.update("\n" + id);
    return hash.hex();
  }

  std::vector<std::int64_t> labels_of(std::int64_t index) const {
    {
      const std::lock_guard lock(mutex_);
      if (const auto known = labels_.find(index); known != labels_.end()) return known->second;
    }
    std::vector<std::int64_t> labels = render_scene(settings_, index).image_labels;
    const std::lock_guard lock(mutex_);
    return labels_.emplace(index, std::move(labels)).first->second;
  }

 private:
  Json table_;
  SceneSettings settings_;
  ClassTable classes_;
  std::vector<Role> roles_;
  std::map<std::string, ImageEntry, std::less<>> entries_;
  mutable std::mutex mutex_;
  mutable std::map<std::int64_t, std::vector<std::int64_t>> labels_;
};

SceneSettings read_settings(TableReader& reader) {
  SceneSettings settings;
  settings.height_px = reader.whole("height_px", settings.height_px, 32, 4096);
  settings.width_px = reader.whole("width_px", settings.width_px, 32, 4096);
  settings.num_classes = reader.whole("num_classes", settings.num_classes, 1, kNumShapes);
  settings.max_objects = reader.whole("max_objects", settings.max_objects, 1, 16);
  settings.world_seed = static_cast<std::uint64_t>(reader.whole("world_seed", 0, 0, INT64_MAX));
  return settings;
}

}  // namespace

SceneSettings scene_settings(const Json& table) {
  std::vector<UserError> problems;
  TableReader reader(table, "dataset", problems);
  const SceneSettings settings = read_settings(reader);
  throw_if_any(std::move(problems));
  return settings;
}

const std::vector<std::string>& scenes_keys() {
  static const std::vector<std::string> keys{"kind",        "height_px",  "width_px", "num_classes",
                                             "max_objects", "world_seed", "roles"};
  return keys;
}

std::shared_ptr<const Dataset> open_scenes(const Json& table, std::int64_t images_limit) {
  std::vector<UserError> problems;
  TableReader reader(table, "dataset", problems);
  reader.text("kind", "scenes");
  const SceneSettings settings = read_settings(reader);
  const Json roles = reader.table(
      "roles", Json{{"train", "0..200"}, {"measure", "0..200"}, {"select", "200..240"}, {"test", "240..320"}});
  reader.refuse_keys_beyond(scenes_keys());
  auto scenes = std::make_shared<ScenesDataset>(reader.resolved(), settings);
  const RoleSource source{scenes_of_list, [&](const std::string& id) { return scenes->labels_of(scene_index(id)); },
                          true};
  scenes->set_roles(resolve_roles(roles, source, images_limit, problems));
  throw_if_any(std::move(problems));
  return scenes;
}

}  // namespace seedbed::dataset
