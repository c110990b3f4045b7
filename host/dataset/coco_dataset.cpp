#include <algorithm>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "dataset/coco_annotations.hpp"
#include "dataset/coco_classes.hpp"
#include "dataset/coco_painting.hpp"
#include "dataset/dataset_kinds.hpp"
#include "dataset/file_dataset.hpp"
#include "dataset/image_lists.hpp"
#include "dataset/label_file.hpp"
#include "dataset/roles.hpp"
#include "dataset/table_reader.hpp"
#include "digest/sha256.hpp"
#include "seedbed/error.hpp"

namespace seedbed::dataset {
namespace {

struct CocoTable {
  std::filesystem::path root;
  std::vector<std::filesystem::path> annotations;
  std::vector<std::filesystem::path> images;  ///< one for each file of annotations
  std::string image_suffix;
  std::filesystem::path lists;
  std::vector<std::string> labels;  ///< "annotations", "masks" or files
  std::int64_t label_offset = 0;
  std::string classes, protocol, names;
  CocoPainting painting;
  Json roles;
};

/// Files of annotations, read when the first of their objects is asked for: lists, labels and classes that stand in
/// files of their own let a study be planned without.
class CocoFiles {
 public:
  explicit CocoFiles(std::vector<std::filesystem::path> files) : files_(std::move(files)) {}

  const std::vector<std::filesystem::path>& files() const { return files_; }

  const std::vector<std::shared_ptr<const CocoAnnotations>>& read() const {
    std::call_once(once_, [&] {
      std::vector<std::shared_ptr<const CocoAnnotations>> parts;
      for (const std::filesystem::path& file : files_) parts.push_back(CocoAnnotations::read(file));
      require_distinct_images(parts);
      if (check_) std::ranges::for_each(parts, [&](const auto& part) { check_(*part); });
      parts_ = std::move(parts);
    });
    return parts_;
  }

  /// What must hold of each file, whether it is read already or will be. Throws: what `check` throws.
  void check_each(std::function<void(const CocoAnnotations&)> check) {
    check_ = std::move(check);
    for (const auto& part : parts_) check_(*part);
  }

  /// Throws: UserError for an image that no file holds.
  const CocoImage& image(std::string_view image_id) const {
    for (const auto& part : read())
      if (const CocoImage* image = part->find(image_id)) return *image;
    throw UserError(files_.front().string(), "The annotations do not hold this image: `" + std::string(image_id) + "`.",
                    "Images go by their `file_name` without folder and suffix.");
  }

 private:
  static void require_distinct_images(const std::vector<std::shared_ptr<const CocoAnnotations>>& parts) {
    for (std::size_t i = 1; i < parts.size(); ++i)
      for (const CocoImage& image : parts[i]->images())
        for (std::size_t earlier = 0; earlier < i; ++earlier)
          if (parts[earlier]->find(image.name))
            throw UserError(parts[i]->file().string(),
                            "Two files of annotations hold the same image: `" + image.name + "`.",
                            "The other one is `" + parts[earlier]->file().string() + "`.");
  }

  std::vector<std::filesystem::path> files_;
  std::function<void(const CocoAnnotations&)> check_;
  mutable std::once_flag once_;
  mutable std::vector<std::shared_ptr<const CocoAnnotations>> parts_;
};

class CocoDataset final : public Dataset {
 public:
  CocoDataset(FileDatasetParts parts, std::shared_ptr<CocoFiles> annotations, CocoClasses classes,
              CocoPainting painting)
      : files_(std::move(parts)),
        annotations_(std::move(annotations)),
        classes_(std::move(classes)),
        painting_(painting),
        roles_(files_.roles()) {
    for (Role& role : roles_) role.has_masks = role.name != "unlabelled";
  }

  std::string kind() const override { return "coco"; }
  const ClassTable& classes() const override { return classes_.table; }
  const std::vector<Role>& roles() const override { return roles_; }
  const ImageEntry& entry(std::string_view image_id) const override { return files_.entry(image_id); }
  const Json& table() const override { return files_.table(); }

  std::optional<std::vector<std::int64_t>> image_labels(std::string_view image_id) const override {
    return files_.image_labels(image_id);
  }

  std::optional<DrawnPlane> draw_mask(std::string_view image_id) const override {
    return paint_values(annotations_->image(image_id), painting_,
                        [&](std::int64_t category_id) { return classes_.label_of(category_id); });
  }

  std::optional<DrawnPlane> draw_instances(std::string_view image_id) const override {
    return paint_objects(annotations_->image(image_id), painting_);
  }

  std::vector<Box> boxes(std::string_view image_id) const override {
    std::vector<Box> boxes;
    for (const CocoObject& object : annotations_->image(image_id).objects) {
      const std::uint8_t label = classes_.label_of(object.category_id);
      const auto& [left, top, width, height] = object.xywh;
      if (label != 0 && label != 255) boxes.push_back({label, left, top, left + width, top + height, object.crowd});
    }
    return boxes;
  }

  std::string digest(const std::vector<std::string>& image_ids, Content content, std::string_view side) const override {
    const bool boxes_are_drawn = content == Content::side && side == "boxes" && !table().at("side").contains("boxes");
    const bool in_files = content == Content::image || (content == Content::side && !boxes_are_drawn) ||
                          (content == Content::image_labels && std::ranges::all_of(image_ids, [&](const auto& id) {
                             return image_labels(id).has_value();
                           }));
    if (in_files) return files_.digest(image_ids, content, side);
    digest::Sha256 hash;
    hash.update("coco " + std::to_string(kCocoPaintingRevision) + (painting_.by_area ? " area" : " file") +
                (painting_.ignore_crowds ? " ignore" : " object"));
    for (const auto& [category, value] : classes_.value_of_category)
      hash.update(" " + std::to_string(category) + ":" + std::to_string(value));
    for (const std::filesystem::path& file : annotations_->files()) hash.update("\n" + digests_.of(file));
    for (const std::string& id : image_ids) hash.update("\n" + id);
    return hash.hex();
  }

 private:
  FileDataset files_;
  std::shared_ptr<CocoFiles> annotations_;
  CocoClasses classes_;
  CocoPainting painting_;
  std::vector<Role> roles_;
  mutable digest::FileDigests digests_;
};

std::vector<std::filesystem::path> below(const std::filesystem::path& root, const std::vector<std::string>& names) {
  std::vector<std::filesystem::path> paths;
  for (const std::string& name : names) paths.push_back(root / name);
  return paths;
}

// COCO's own layout: `annotations/instances_train2017.json` belongs to the images in `train2017`.
std::vector<std::string> folders_of(const std::vector<std::string>& annotations) {
  constexpr std::string_view prefix = "instances_";
  std::vector<std::string> folders;
  for (const std::string& file : annotations) {
    const std::string stem = std::filesystem::path(file).stem().string();
    folders.push_back(stem.starts_with(prefix) ? stem.substr(prefix.size()) : "images");
  }
  return folders;
}

void read_files(TableReader& reader, CocoTable& coco) {
  const std::vector<std::string> annotations = reader.one_or_more("annotations", {});
  if (annotations.empty())
    reader.problem("annotations", "The data set needs the key `annotations`.",
                   "It names a JSON file of COCO's format of instances, or a list of them.");
  const std::vector<std::string> images = reader.one_or_more("images", folders_of(annotations));
  if (images.size() != annotations.size())
    reader.problem("images",
                   "Each file of annotations needs its folder of images: `" + std::to_string(images.size()) + "`.",
                   "There are " + std::to_string(annotations.size()) + " files of annotations.");
  coco.annotations = below(coco.root, annotations);
  std::error_code error;
  for (const std::filesystem::path& file : coco.annotations)
    if (!coco.root.empty() && !std::filesystem::is_regular_file(file, error))
      reader.problem("annotations", "There is no such file of annotations: `" + file.string() + "`.",
                     "Paths are taken from `root`.");
  coco.images = below(coco.root, images);
}

CocoTable read_table(const Json& table, TableReader& reader, FileDatasetParts& parts,
                     std::vector<UserError>& problems) {
  CocoTable coco;
  coco.root = read_root(reader);
  read_files(reader, coco);
  coco.image_suffix = reader.text("image_suffix", ".jpg");
  coco.lists = coco.root / reader.text("lists", "lists");
  coco.labels = read_label_files(reader, table, "annotations");
  coco.label_offset = reader.whole("label_offset", 0, -1, 1);
  coco.classes = reader.text("classes", "");
  coco.protocol = reader.text("protocol", "");
  coco.names = reader.text("names", "");
  coco.painting.by_area = reader.choice("painting", {"area", "file"}) == "area";
  coco.painting.ignore_crowds = reader.choice("crowd", {"ignore", "object"}) == "ignore";
  parts.side = read_side(reader, coco.root, problems);
  coco.roles = reader.table("roles", Json::object());
  if (coco.roles.empty())
    reader.problem("roles", "The data set needs roles.",
                   "Write `roles = { train = \"train\", test = \"val\" }`: lists, or files of annotations by name.");
  if (coco.classes.empty() && !coco.protocol.empty())
    reader.problem("protocol", "A protocol needs a classes file: `" + coco.protocol + "`.", "Name one with `classes`.");
  reader.refuse_keys_beyond(coco_keys());
  return coco;
}

CocoClasses read_classes_of(const CocoTable& coco, const CocoFiles& annotations) {
  if (!coco.classes.empty()) return read_coco_classes(coco.root / coco.classes, coco.protocol, coco.names);
  return classes_of_categories(*annotations.read().front());
}

// The classes that an image's annotations name; of crowds too where they are objects.
ImageLabels labels_of_annotations(const CocoFiles& annotations, const CocoClasses& classes,
                                  const CocoPainting& painting) {
  ImageLabels labels;
  for (const auto& part : annotations.read())
    for (const CocoImage& image : part->images()) {
      std::vector<std::int64_t>& of_image = labels[image.name];
      for (const CocoObject& object : image.objects) {
        const std::uint8_t label = classes.label_of(object.category_id);
        if (label != 0 && label != 255 && !(object.crowd && painting.ignore_crowds)) of_image.push_back(label);
      }
      std::ranges::sort(of_image);
      of_image.erase(std::unique(of_image.begin(), of_image.end()), of_image.end());
    }
  return labels;
}

// A list's file, or else a file of annotations by its name: all its images.
std::vector<std::string> images_of_list(const CocoTable& coco, const CocoFiles& annotations, const std::string& list,
                                        const std::string& where) {
  std::error_code error;
  const auto named = std::ranges::find(coco.annotations, list, [](const auto& file) { return file.stem().string(); });
  if (named == coco.annotations.end() || std::filesystem::is_regular_file(coco.lists / (list + ".txt"), error))
    return read_image_list(find_image_list(coco.lists, list, where));
  std::vector<std::string> ids;
  for (const CocoImage& image :
       annotations.read()[static_cast<std::size_t>(named - coco.annotations.begin())]->images())
    ids.push_back(image.name);
  return ids;
}

std::function<std::filesystem::path(const std::string&)> image_paths(const CocoTable& coco) {
  return [folders = coco.images, suffix = coco.image_suffix](const std::string& id) {
    std::error_code error;
    const auto has_it = [&](const auto& folder) { return std::filesystem::exists(folder / (id + suffix), error); };
    const auto folder = folders.size() == 1 ? folders.begin() : std::ranges::find_if(folders, has_it);
    return (folder == folders.end() ? folders.front() : *folder) / (id + suffix);
  };
}

}  // namespace

const std::vector<std::string>& coco_keys() {
  static const std::vector<std::string> keys{"kind",  "root",     "annotations",  "images",  "image_suffix",
                                             "lists", "labels",   "label_offset", "classes", "protocol",
                                             "names", "painting", "crowd",        "side",    "roles"};
  return keys;
}

std::shared_ptr<const Dataset> open_coco(const Json& table, std::int64_t images_limit) {
  std::vector<UserError> problems;
  TableReader reader(table, "dataset", problems);
  FileDatasetParts parts;
  parts.kind = reader.text("kind", "coco");
  const CocoTable coco = read_table(table, reader, parts, problems);
  if (coco.root.empty() || coco.annotations.empty()) throw_if_any(std::move(problems));
  auto annotations = std::make_shared<CocoFiles>(coco.annotations);
  CocoClasses classes;
  const bool labels_read = collect_problems(problems, [&] {
    classes = read_classes_of(coco, *annotations);
    annotations->check_each([classes](const CocoAnnotations& part) { require_categories(classes, part); });
    if (coco.labels.front() == "annotations")
      parts.labels = labels_of_annotations(*annotations, classes, coco.painting);
    if (coco.labels.front() != "annotations" && coco.labels.front() != "masks")
      parts.labels = read_label_lines(below(coco.root, coco.labels), classes.table, coco.label_offset);
  });
  if (!labels_read) throw_if_any(std::move(problems));
  const auto list_images = [&](const std::string& list, const std::string& where) {
    return images_of_list(coco, *annotations, list, where);
  };
  parts.roles = resolve_roles(coco.roles, {list_images, labels_for_roles(parts, true)}, images_limit, problems);
  if (parts.labels) require_labels(*parts.labels, parts.roles, coco.root / coco.labels.front(), problems);
  throw_if_any(std::move(problems));
  parts.classes = classes.table;
  parts.image_path = image_paths(coco);
  parts.table = reader.resolved();
  return std::make_shared<CocoDataset>(std::move(parts), std::move(annotations), std::move(classes), coco.painting);
}

}  // namespace seedbed::dataset
