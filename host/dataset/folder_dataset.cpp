#include <fnmatch.h>

#include <algorithm>
#include <filesystem>
#include <map>
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

using ImageFiles = std::map<std::string, std::filesystem::path>;

struct FolderTable {
  std::filesystem::path root;
  std::filesystem::path images;
  std::filesystem::path lists;
  std::string labels;  ///< "masks" or a file
  std::string classes;
  std::vector<std::string> class_names;
  Json roles;
};

FolderTable read_table(const Json& table, TableReader& reader, FileDatasetParts& parts,
                       std::vector<UserError>& problems) {
  FolderTable folder;
  folder.root = read_root(reader);
  folder.images = folder.root / reader.text("images", "images");
  parts.mask_folder = folder.root / reader.text("masks", "masks");
  parts.mask_suffix = reader.text("mask_suffix", ".png");
  parts.instance_folder = folder.root / reader.text("instances", "instances");
  folder.lists = folder.root / reader.text("lists", "lists");
  folder.labels = read_labels(reader, table);
  folder.classes = reader.text("classes", "");
  folder.class_names = reader.texts("class_names");
  parts.side = read_side(reader, folder.root, problems);
  folder.roles = reader.table("roles", Json::object());
  if (folder.roles.empty())
    reader.problem("roles", "The data set needs roles.",
                   "Write `roles = { train = \"*:0%..80%\", test = \"*:80%..100%\" }`.");
  if (folder.classes.empty() == folder.class_names.empty())
    reader.problem("classes", "The data set needs either a classes file or class names.",
                   "Write `class_names = [\"cat\", \"dog\"]`, or `classes = \"classes.csv\"`.");
  reader.refuse_keys_beyond(folder_keys());
  return folder;
}

// Every image below the folder by its id. Two files of one id are a problem: which is meant cannot be told.
ImageFiles find_images(const std::filesystem::path& folder) {
  constexpr std::string_view suffixes[] = {".jpg", ".jpeg", ".png", ".JPG", ".JPEG", ".PNG"};
  std::error_code error;
  ImageFiles files;
  std::vector<UserError> problems;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    if (std::ranges::find(suffixes, entry.path().extension().string()) == std::end(suffixes)) continue;
    const auto [known, is_new] = files.emplace(entry.path().stem().string(), entry.path());
    if (!is_new)
      problems.emplace_back(entry.path().string(), "Two files belong to one image: `" + known->first + "`.",
                            "Remove one, or move it out of the folder.");
  }
  if (error || files.empty())
    problems.emplace_back("dataset.images", "The folder holds no images: `" + folder.string() + "`.",
                          "Images are JPEG or PNG files.");
  throw_if_any(std::move(problems));
  return files;
}

bool is_pattern(const std::string& list) { return list.find_first_of("*?[") != std::string::npos; }

std::vector<std::string> images_of_list(const FolderTable& folder, const ImageFiles& files, const std::string& list,
                                        const std::string& where) {
  if (!is_pattern(list)) return read_image_list(find_image_list(folder.lists, list, where));
  std::vector<std::string> ids;
  for (const auto& [id, path] : files)
    if (::fnmatch(list.c_str(), id.c_str(), 0) == 0) ids.push_back(id);
  if (ids.empty())
    throw UserError(where, "No image fits this pattern: `" + list + "`.",
                    "It is compared with file names without their ending.");
  return ids;
}

void read_label_sources(const FolderTable& folder, FileDatasetParts& parts) {
  parts.classes =
      folder.classes.empty() ? plain_classes(folder.class_names) : read_classes(folder.root / folder.classes, "", "");
  if (folder.labels != "masks") parts.labels = read_label_table(folder.root / folder.labels, parts.classes);
}

}  // namespace

const std::vector<std::string>& folder_keys() {
  static const std::vector<std::string> keys{"kind",  "root",   "images",  "masks",       "mask_suffix", "instances",
                                             "lists", "labels", "classes", "class_names", "side",        "roles"};
  return keys;
}

std::shared_ptr<const Dataset> open_folder(const Json& table, std::int64_t images_limit) {
  std::vector<UserError> problems;
  TableReader reader(table, "dataset", problems);
  FileDatasetParts parts;
  parts.kind = reader.text("kind", "folder");
  const FolderTable folder = read_table(table, reader, parts, problems);
  if (folder.root.empty()) throw_if_any(std::move(problems));
  ImageFiles files;
  const bool images_found = collect_problems(problems, [&] { files = find_images(folder.images); });
  const bool labels_read = collect_problems(problems, [&] { read_label_sources(folder, parts); });
  if (!images_found) throw_if_any(std::move(problems));
  const auto list_images = [&](const std::string& list, const std::string& where) {
    return images_of_list(folder, files, list, where);
  };
  const RoleSource source{list_images, labels_for_roles(parts, labels_read)};
  parts.roles = resolve_roles(folder.roles, source, images_limit, problems);
  if (labels_read && parts.labels) require_labels(*parts.labels, parts.roles, folder.root / folder.labels, problems);
  throw_if_any(std::move(problems));
  // A list may name an image that is not there; `datasets check` and the digest then name this file.
  parts.image_path = [files = std::move(files), images = folder.images](const std::string& id) {
    const auto file = files.find(id);
    return file == files.end() ? images / (id + ".jpg") : file->second;
  };
  parts.table = reader.resolved();
  return std::make_shared<FileDataset>(std::move(parts));
}

}  // namespace seedbed::dataset
