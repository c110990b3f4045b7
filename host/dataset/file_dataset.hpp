#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "dataset/dataset.hpp"
#include "dataset/label_file.hpp"
#include "dataset/table_reader.hpp"
#include "digest/file_digests.hpp"

namespace seedbed::dataset {

/// Where a side input's files lie: FOLDER/ID SUFFIX.
struct SideFolder {
  std::filesystem::path folder;
  std::string suffix;
};

/// What a data set made of files is put together from.
struct FileDatasetParts {
  std::string kind;
  Json table;
  ClassTable classes;
  std::vector<Role> roles;
  std::function<std::filesystem::path(const std::string& image_id)> image_path;
  std::filesystem::path mask_folder;  ///< "" = none
  std::string mask_suffix;
  std::filesystem::path instance_folder;  ///< "" = none; files have the masks' suffix
  std::filesystem::path box_folder;       ///< "" = none; PASCAL VOC's annotations, ID.xml
  std::map<std::string, SideFolder> side;
  std::optional<ImageLabels> labels;  ///< nullopt: taken from masks
};

/// Images, masks and side inputs in files: what `voc` and `folder` are once their tables and lists are read.
class FileDataset final : public Dataset {
 public:
  explicit FileDataset(FileDatasetParts parts);

  std::string kind() const override { return parts_.kind; }
  const ClassTable& classes() const override { return parts_.classes; }
  const std::vector<Role>& roles() const override { return parts_.roles; }
  const ImageEntry& entry(std::string_view image_id) const override;
  std::optional<std::vector<std::int64_t>> image_labels(std::string_view image_id) const override;
  std::vector<Box> boxes(std::string_view image_id) const override;
  std::string digest(const std::vector<std::string>& image_ids, Content content, std::string_view side) const override;
  const Json& table() const override { return parts_.table; }

 private:
  void add_entry(const std::string& image_id);
  std::filesystem::path box_file(std::string_view image_id) const;
  std::string digest_of(const ImageEntry& entry, Content content, std::string_view side) const;

  FileDatasetParts parts_;
  std::map<std::string, ImageEntry, std::less<>> entries_;
  mutable digest::FileDigests digests_;
};

/// The table's `root`, absolute; a problem where it is no folder.
std::filesystem::path read_root(TableReader& reader);

/// `labels`: a label file, or "masks". Tables (`labels.form`) are reserved for weak labels of other forms: a problem.
std::string read_labels(TableReader& reader, const Json& table);

/// The same where several label files may be named: `fallback`, a word of the kind's own, or files; at least one.
std::vector<std::string> read_label_files(TableReader& reader, const Json& table, const std::string& fallback);

/// `[dataset.side.NAME] folder = "...", suffix = ".png", kind = "grey" | "labels"`, or `side = { NAME = "folder" }`.
std::map<std::string, SideFolder> read_side(TableReader& reader, const std::filesystem::path& root,
                                            std::vector<UserError>& problems);

/// What `labels` says of an image, for roles; refers to `parts`. Where labels could not be read, every image passes for
/// one with a class: that problem is told already.
std::function<std::optional<std::vector<std::int64_t>>(const std::string&)> labels_for_roles(
    const FileDatasetParts& parts, bool labels_read);

/// A problem for each role with images that `labels` does not hold.
void require_labels(const ImageLabels& labels, const std::vector<Role>& roles, const std::filesystem::path& file,
                    std::vector<UserError>& problems);

}  // namespace seedbed::dataset
