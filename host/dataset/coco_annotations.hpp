#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "dataset/run_lengths.hpp"

namespace seedbed::dataset {

struct CocoCategory {
  std::int64_t id = 0;
  std::string name;
};

/// One entry of `annotations`.
struct CocoObject {
  std::int64_t id = 0;
  std::int64_t category_id = 0;
  double area = 0;               ///< pixels, as the file states it
  std::array<double, 4> xywh{};  ///< `bbox`: left, top, width, height in pixels
  bool crowd = false;
  /// Each outline: how many numbers follow, then x, y, x, y ... on the fine grid of run_lengths.hpp. Empty where `runs`
  /// tell the mask.
  std::vector<std::int32_t> outlines;
  RunLengths runs;
};

/// One entry of `images`, with its objects in the order of the file.
struct CocoImage {
  std::int64_t id = 0;
  std::string name;  ///< the file's name without folder and suffix
  std::int64_t height_px = 0;
  std::int64_t width_px = 0;
  std::vector<CocoObject> objects;
};

/// The `images`, `categories` and `annotations` of one file in COCO's format of instances.
class CocoAnnotations {
 public:
  /// Reads the file once, in one pass and whatever the order of its parts; nothing of the text is kept. While someone
  /// holds the result, the same unchanged file is not read again. Threads: [any-thread].
  /// Throws: UserErrors with file and annotation: no JSON, missing keys, values of the wrong type, outlines of an odd
  /// number of coordinates or beyond 10^6 pixels, run lengths that do not fill their image, images or ids twice,
  /// annotations of images or categories that are not there.
  static std::shared_ptr<const CocoAnnotations> read(const std::filesystem::path& file);

  const std::filesystem::path& file() const { return file_; }
  const std::vector<CocoCategory>& categories() const { return categories_; }  ///< by id
  const std::vector<CocoImage>& images() const { return images_; }             ///< in the order of the file
  const CocoImage* find(std::string_view image_name) const;                    ///< nullptr where there is none

 private:
  friend class CocoReader;
  CocoAnnotations() = default;

  std::filesystem::path file_;
  std::vector<CocoCategory> categories_;
  std::vector<CocoImage> images_;
  std::map<std::string_view, std::size_t, std::less<>> image_of_name_;
};

}  // namespace seedbed::dataset
