#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

// Data sets as lists of images with roles; no pixels are decoded here (see host/images), so both programs use it.
namespace seedbed::dataset {

using Json = nlohmann::ordered_json;

/// What of an image can be opened; each kind is counted in the ledger under this name.
enum class Content { image, image_labels, mask, side, instances, boxes };

/// What the files of a side input hold.
enum class SideKind {
  grey,   ///< 8-bit maps such as saliency, 0 to 255
  labels  ///< label maps in the values that masks have
};

struct SideInput {
  std::string name;
  SideKind kind = SideKind::grey;
};

/// Classes after the protocol's remapping.
struct ClassTable {
  std::vector<std::string> names;                  ///< C foreground names; label c is names[c - 1]
  std::array<std::uint8_t, 256> label_of_value{};  ///< mask file's value -> label (0..C, 255 ignore)
  std::array<bool, 256> known_value{};             ///< values a mask may hold; others are an error
  std::int64_t num_classes() const { return static_cast<std::int64_t>(names.size()); }
};

/// Where one image's content lies. Procedural data sets have no paths.
struct ImageEntry {
  std::string id;
  std::filesystem::path image;
  std::filesystem::path mask;                             ///< "" where there is none
  std::filesystem::path instances;                        ///< the same: which object each pixel shows
  std::map<std::string, std::filesystem::path> side;      ///< by side input name
  std::optional<std::vector<std::int64_t>> image_labels;  ///< labels 1..C, sorted; nullopt: taken from the mask
  std::int64_t index = 0;                                 ///< procedural data sets: which scene
};

/// A mask or map of objects that is drawn from outlines and not read from a file.
struct DrawnPlane {
  std::int64_t height_px = 0;
  std::int64_t width_px = 0;
  std::vector<std::uint8_t> values_hw;  ///< height * width
};

/// Where an object lies: columns `left` to `right`, rows `top` to `bottom`, in pixels of the stored image, whose upper
/// left corner is (0, 0).
struct Box {
  std::int64_t label = 0;  ///< 1..C
  double left = 0;
  double top = 0;
  double right = 0;
  double bottom = 0;
  bool crowd = false;  ///< many objects in one box

  bool operator==(const Box&) const = default;
};

/// A resolved role: its images in the order of its list. `train` lacks images without any class (where labels are known
/// without decoding), every role but `train` lacks the images of `select`.
struct Role {
  std::string name;
  std::vector<std::string> image_ids;
  bool has_masks = false;                 ///< at least one of the images has a mask file
  std::int64_t images_without_class = 0;  ///< `train` only: images of the list that were left out
};

class Dataset {
 public:
  /// Opens the data set that a resolved `[dataset]` table describes: reads lists, classes and label files, no image.
  /// `images_limit` > 0 keeps the first N images of each role.
  /// Throws: UserErrors with everything that is wrong: `where` is "dataset.KEY" for the table (which study can place in
  /// its file) and "FILE:LINE" for lists, class and label files.
  static std::shared_ptr<const Dataset> open(const Json& table, std::int64_t images_limit = 0);

  virtual ~Dataset() = default;

  virtual std::string kind() const = 0;  ///< "scenes" | "voc" | "coco" | "folder"
  virtual const ClassTable& classes() const = 0;
  virtual const std::vector<Role>& roles() const = 0;

  /// Throws: UserError with the nearest role.
  const Role& role(std::string_view name) const;

  /// Throws: UserError for an image that no role lists.
  virtual const ImageEntry& entry(std::string_view image_id) const = 0;

  /// Image-level labels 1..C; scenes and `labels = "masks"` compute them. nullopt where only the decoded mask tells
  /// (host/images then reads it).
  virtual std::optional<std::vector<std::int64_t>> image_labels(std::string_view image_id) const = 0;

  /// Labels 0..C and 255, of data sets that draw their masks (`coco`); nullopt where `entry` names a file, or a scene.
  /// Throws: UserError for an image whose outlines are missing. Threads: [any-thread].
  virtual std::optional<DrawnPlane> draw_mask(std::string_view image_id) const;

  /// The same, with 0, a number for each object that is seen, and 255.
  virtual std::optional<DrawnPlane> draw_instances(std::string_view image_id) const;

  /// The boxes of an image's objects that have a class, in the order of the file. Threads: [any-thread].
  /// Throws: UserError where the data set has none.
  virtual std::vector<Box> boxes(std::string_view image_id) const;

  /// Digest of the named content of these images, in this order: what enters a stage's key.
  /// Files' digests come from the per-user cache. `side` names the side input for Content::side.
  virtual std::string digest(const std::vector<std::string>& image_ids, Content content,
                             std::string_view side = {}) const = 0;

  /// The side inputs that the data set declares, by name.
  std::vector<SideInput> side_inputs() const;

  /// Throws: UserError with the nearest name.
  SideKind side_kind(std::string_view name) const;

  /// The table this was opened from, every default written out.
  virtual const Json& table() const = 0;
};

/// What `[dataset]` may hold, checked by `open`; used by the study room for key checks and nearest names.
/// Keys that are legal for `kind`. Throws: UserError for an unknown kind, with the nearest one.
std::vector<std::string> legal_keys(std::string_view kind);
const std::vector<std::string>& dataset_kinds();

}  // namespace seedbed::dataset
