#include <filesystem>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "dataset/class_table.hpp"
#include "dataset/dataset_kinds.hpp"
#include "dataset/file_dataset.hpp"
#include "dataset/image_lists.hpp"
#include "dataset/label_file.hpp"
#include "dataset/roles.hpp"
#include "dataset/table_reader.hpp"
#include "seedbed/error.hpp"

namespace seedbed::dataset {
namespace {

struct VocTable {
  std::filesystem::path root;
  std::filesystem::path lists;
  std::filesystem::path images;
  std::string image_suffix;
  std::vector<std::string> labels;  ///< "masks" or files
  std::int64_t label_offset = 0;
  std::string classes, protocol, names;
  Json roles;
};

VocTable read_table(const Json& table, TableReader& reader, FileDatasetParts& parts, std::vector<UserError>& problems) {
  VocTable voc;
  voc.root = read_root(reader);
  voc.images = voc.root / reader.text("images", "JPEGImages");
  voc.image_suffix = reader.text("image_suffix", ".jpg");
  parts.mask_folder = voc.root / reader.text("masks", "SegmentationClass");
  parts.mask_suffix = reader.text("mask_suffix", ".png");
  if (parts.mask_suffix == ".mat")
    reader.problem("mask_suffix", "Masks in MATLAB's files are not read: `.mat`.",
                   "SBD's masks come as PNG files too, merged with VOC's: `SegmentationClassAug`.");
  parts.instance_folder = voc.root / reader.text("instances", "SegmentationObject");
  std::error_code error;
  const bool has_annotations = std::filesystem::is_directory(voc.root / "Annotations", error);
  const std::string annotations = reader.text("annotations", has_annotations ? "Annotations" : "");
  if (!annotations.empty()) parts.box_folder = voc.root / annotations;
  voc.lists = voc.root / reader.text("lists", "ImageSets/Segmentation");
  voc.labels = read_label_files(reader, table, "masks");
  voc.label_offset = reader.whole("label_offset", 0, -1, 1);
  voc.classes = reader.text("classes", "");
  voc.protocol = reader.text("protocol", "");
  voc.names = reader.text("names", "");
  parts.side = read_side(reader, voc.root, problems);
  voc.roles = reader.table("roles", Json::object());
  if (voc.roles.empty())
    reader.problem("roles", "The data set needs roles.", "Write `roles = { train = \"train\", test = \"val\" }`.");
  if (voc.classes.empty() && !voc.protocol.empty())
    reader.problem("protocol", "A protocol needs a classes file: `" + voc.protocol + "`.", "Name one with `classes`.");
  reader.refuse_keys_beyond(voc_keys());
  return voc;
}

void read_label_sources(const VocTable& voc, FileDatasetParts& parts) {
  parts.classes = voc.classes.empty() ? voc_classes() : read_classes(voc.root / voc.classes, voc.protocol, voc.names);
  if (voc.labels.front() == "masks") return;
  std::vector<std::filesystem::path> files;
  for (const std::string& file : voc.labels) files.push_back(voc.root / file);
  parts.labels = read_label_lines(files, parts.classes, voc.label_offset);
}

}  // namespace

const std::vector<std::string>& voc_keys() {
  static const std::vector<std::string> keys{
      "kind",  "root",   "images",       "image_suffix", "masks",    "mask_suffix", "instances", "annotations",
      "lists", "labels", "label_offset", "classes",      "protocol", "names",       "side",      "roles"};
  return keys;
}

std::shared_ptr<const Dataset> open_voc(const Json& table, std::int64_t images_limit) {
  std::vector<UserError> problems;
  TableReader reader(table, "dataset", problems);
  FileDatasetParts parts;
  parts.kind = reader.text("kind", "voc");
  const VocTable voc = read_table(table, reader, parts, problems);
  if (voc.root.empty()) throw_if_any(std::move(problems));
  const bool labels_read = collect_problems(problems, [&] { read_label_sources(voc, parts); });
  const auto list_images = [&](const std::string& list, const std::string& where) {
    return read_image_list(find_image_list(voc.lists, list, where));
  };
  const RoleSource source{list_images, labels_for_roles(parts, labels_read)};
  parts.roles = resolve_roles(voc.roles, source, images_limit, problems);
  if (labels_read && parts.labels) require_labels(*parts.labels, parts.roles, voc.root / voc.labels.front(), problems);
  throw_if_any(std::move(problems));
  parts.image_path = [folder = voc.images, suffix = voc.image_suffix](const std::string& id) {
    return folder / (id + suffix);
  };
  parts.table = reader.resolved();
  return std::make_shared<FileDataset>(std::move(parts));
}

}  // namespace seedbed::dataset
