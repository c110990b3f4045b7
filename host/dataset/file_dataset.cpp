#include "dataset/file_dataset.hpp"

#include <algorithm>
#include <system_error>

#include "dataset/dataset_kinds.hpp"
#include "dataset/voc_annotation.hpp"
#include "digest/sha256.hpp"
#include "seedbed/error.hpp"

namespace seedbed::dataset {

FileDataset::FileDataset(FileDatasetParts parts) : parts_(std::move(parts)) {
  for (Role& role : parts_.roles) {
    for (const std::string& id : role.image_ids) add_entry(id);
    role.has_masks = std::ranges::any_of(role.image_ids, [&](const std::string& id) {
      std::error_code error;
      const ImageEntry& known = entries_.at(id);
      return !known.mask.empty() && std::filesystem::exists(known.mask, error);
    });
  }
}

void FileDataset::add_entry(const std::string& image_id) {
  const auto [entry, is_new] = entries_.try_emplace(image_id);
  if (!is_new) return;
  entry->second.id = image_id;
  entry->second.image = parts_.image_path(image_id);
  if (!parts_.mask_folder.empty()) entry->second.mask = parts_.mask_folder / (image_id + parts_.mask_suffix);
  if (!parts_.instance_folder.empty())
    entry->second.instances = parts_.instance_folder / (image_id + parts_.mask_suffix);
  for (const auto& [name, side] : parts_.side) entry->second.side[name] = side.folder / (image_id + side.suffix);
  if (!parts_.labels) return;
  if (const auto labels = parts_.labels->find(image_id); labels != parts_.labels->end())
    entry->second.image_labels = labels->second;
}

const ImageEntry& FileDataset::entry(std::string_view image_id) const {
  const auto found = entries_.find(image_id);
  if (found != entries_.end()) return found->second;
  throw UserError("dataset", "No role lists this image: `" + std::string(image_id) + "`.",
                  "`datasets info` shows the roles and their images.");
}

std::optional<std::vector<std::int64_t>> FileDataset::image_labels(std::string_view image_id) const {
  return entry(image_id).image_labels;
}

std::filesystem::path FileDataset::box_file(std::string_view image_id) const {
  const std::string& id = entry(image_id).id;
  if (!parts_.box_folder.empty()) return parts_.box_folder / (id + ".xml");
  if (parts_.kind == "voc")
    throw UserError("dataset.annotations", "The data set has no boxes: no folder of annotations is named.",
                    "`annotations`, a folder of PASCAL VOC's XML files.");
  throw no_boxes(parts_.kind);
}

// The file counts pixels from 1 and includes both corners; a box here begins at the left edge of its first pixel.
std::vector<Box> FileDataset::boxes(std::string_view image_id) const {
  std::vector<Box> boxes;
  for (const VocObject& object : read_voc_annotation(box_file(image_id))) {
    const auto name = std::ranges::find(parts_.classes.names, object.name);
    if (name == parts_.classes.names.end()) continue;
    boxes.push_back(
        {name - parts_.classes.names.begin() + 1, object.xmin - 1, object.ymin - 1, object.xmax, object.ymax});
  }
  return boxes;
}

std::string FileDataset::digest(const std::vector<std::string>& image_ids, Content content,
                                std::string_view side) const {
  digest::Sha256 hash;
  for (const std::string& id : image_ids) hash.update(id + "\n" + digest_of(entry(id), content, side) + "\n");
  return hash.hex();
}

std::string FileDataset::digest_of(const ImageEntry& entry, Content content, std::string_view side) const {
  switch (content) {
    case Content::image:
      return digests_.of(entry.image);
    case Content::side: {
      const auto found = entry.side.find(std::string(side));
      if (found != entry.side.end()) return digests_.of(found->second);
      if (side == "boxes" && !parts_.box_folder.empty()) return digests_.of(box_file(entry.id));
      throw UserError("dataset.side", "The data set has no such side input: `" + std::string(side) + "`.",
                      "Declare its folder under `side`.");
    }
    case Content::instances:
      if (!entry.instances.empty()) return digests_.of(entry.instances);
      throw UserError("dataset.instances", "An image has no map of its objects: `" + entry.id + "`.",
                      "Name their folder with the key `instances`.");
    case Content::boxes:
      return digests_.of(box_file(entry.id));
    case Content::image_labels:
      if (entry.image_labels) {
        std::string labels = "labels";
        for (std::int64_t label : *entry.image_labels) labels += " " + std::to_string(label);
        return labels;
      }
      [[fallthrough]];
    case Content::mask:
      break;
  }
  if (!entry.mask.empty()) return digests_.of(entry.mask);
  throw UserError("dataset.masks", "An image has no mask: `" + entry.id + "`.",
                  "Name the masks' folder with the key `masks`.");
}

std::filesystem::path read_root(TableReader& reader) {
  const std::string text = reader.required_text("root", "It names the data set's folder.");
  if (text.empty()) return {};
  std::error_code error;
  std::filesystem::path root = std::filesystem::absolute(text).lexically_normal();
  reader.resolve("root", root.string());
  if (std::filesystem::is_directory(root, error)) return root;
  reader.problem("root", "The data set's folder does not exist: `" + root.string() + "`.",
                 "Check the path, or the environment variable that it is made of.");
  return {};
}

std::map<std::string, SideFolder> read_side(TableReader& reader, const std::filesystem::path& root,
                                            std::vector<UserError>& problems) {
  std::map<std::string, SideFolder> side;
  Json resolved = Json::object();
  const Json inputs = reader.table("side", Json::object());
  for (const auto& [name, value] : inputs.items()) {
    const Json table = value.is_string() ? Json{{"folder", value}} : value;
    TableReader input(table, "dataset.side." + name, problems);
    const std::string folder = input.required_text("folder", "It holds one file an image, named after it.");
    const std::string suffix = input.text("suffix", ".png");
    input.choice("kind", {"grey", "labels"});
    input.refuse_keys_beyond({"folder", "suffix", "kind"});
    side[name] = {root / folder, suffix};
    resolved[name] = input.resolved();
  }
  reader.resolve("side", resolved);
  return side;
}

std::string read_labels(TableReader& reader, const Json& table) {
  const auto given = table.is_object() ? table.find("labels") : table.end();
  if (given == table.end() || !given->is_object()) return reader.text("labels", "masks");
  reader.problem("labels", "Weak labels of a form are not available in this version.",
                 "`labels` is a label file, or `masks`: labels are the classes that a mask shows.");
  return "masks";
}

std::vector<std::string> read_label_files(TableReader& reader, const Json& table, const std::string& fallback) {
  const auto given = table.is_object() ? table.find("labels") : table.end();
  if (given != table.end() && given->is_object()) return {read_labels(reader, table)};
  std::vector<std::string> labels = reader.one_or_more("labels", {fallback});
  if (labels.empty()) reader.problem("labels", "No label file is named.", "Name at least one.");
  return labels.empty() || labels.front().empty() ? std::vector{fallback} : labels;
}

std::function<std::optional<std::vector<std::int64_t>>(const std::string&)> labels_for_roles(
    const FileDatasetParts& parts, bool labels_read) {
  return [&parts, labels_read](const std::string& image_id) -> std::optional<std::vector<std::int64_t>> {
    if (!labels_read) return std::vector<std::int64_t>{1};
    if (!parts.labels) return std::nullopt;
    const auto labels = parts.labels->find(image_id);
    if (labels == parts.labels->end()) return std::nullopt;
    return labels->second;
  };
}

void require_labels(const ImageLabels& labels, const std::vector<Role>& roles, const std::filesystem::path& file,
                    std::vector<UserError>& problems) {
  for (const Role& role : roles) {
    std::vector<std::string> missing;
    for (const std::string& id : role.image_ids)
      if (!labels.contains(id)) missing.push_back(id);
    if (!missing.empty())
      problems.emplace_back(
          file.string(), "Images of role `" + role.name + "` have no labels: " + quoted_list(missing) + ".",
          "The label file needs a line for each image of a role; one without classes holds the id alone.");
  }
}

}  // namespace seedbed::dataset
