#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include <nlohmann/json.hpp>

#include "dataset/coco_annotations.hpp"
#include "seedbed/error.hpp"

namespace seedbed::dataset {

/// What nlohmann's parser reports of a file of instances, gathered entry by entry; then put together and checked.
class CocoReader final : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit CocoReader(std::filesystem::path file);

  /// Everything read so far. Throws: UserErrors, see CocoAnnotations::read.
  std::shared_ptr<const CocoAnnotations> take();

  // Called by the parser. false ends the reading: too much is wrong.
  bool null() override { return other_value(); }
  bool boolean(bool value) override;
  bool number_integer(std::int64_t value) override { return number(static_cast<double>(value)); }
  bool number_unsigned(std::uint64_t value) override { return number(static_cast<double>(value)); }
  bool number_float(double value, const std::string&) override { return number(value); }
  bool string(std::string& value) override;
  bool binary(nlohmann::json::binary_t&) override { return other_value(); }
  bool key(std::string& name) override;
  bool start_object(std::size_t) override;
  bool end_object() override;
  bool start_array(std::size_t) override;
  bool end_array() override;
  bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception& error) override;

 private:
  enum class Section { other, images, categories, annotations };
  enum class Field { other, id, image_id, category_id, area, iscrowd, height, width, name, bbox, segmentation };
  static constexpr std::size_t kNumFields = static_cast<std::size_t>(Field::segmentation) + 1;

  /// The entry that is being read.
  struct Entry {
    std::array<std::optional<double>, kNumFields> numbers;
    std::string name;
    std::vector<double> bbox;
    CocoObject object;
    bool has_segmentation = false;
    std::vector<double> runs_size;   ///< `size` of run lengths: height, width
    std::vector<std::string> wrong;  ///< keys whose values are not what they should be
  };
  /// Run lengths state their image's size once more.
  struct StatedSize {
    std::int64_t annotation_id = 0;
    std::int64_t image_id = 0;
    std::vector<double> height_width;
  };

  static Field field_of(Section section, const std::string& key);
  bool number(double value);
  bool other_value();
  void wrong_value();
  void add_coordinate(double value);
  void add_run(double value);
  bool finish_entry();
  void finish_image();
  void finish_category();
  void finish_annotation();
  bool lacks(std::initializer_list<Field> fields, const std::string& what);
  std::int64_t whole(Field field);
  void link_objects(CocoAnnotations& annotations);
  void check_runs(const CocoImage& image);
  void check_stated_sizes(const CocoAnnotations& annotations);
  void problem(std::string what, std::string hint);

  std::filesystem::path file_;
  std::vector<UserError> problems_;
  std::vector<CocoImage> images_;
  std::vector<CocoCategory> categories_;
  std::unordered_map<std::int64_t, std::vector<CocoObject>> objects_of_image_;
  std::vector<StatedSize> stated_sizes_;
  std::array<bool, 4> seen_sections_{};

  int depth_ = 0;  ///< 1: the file's object, 2: a section's list, 3: an entry, 4: a box or mask, 5: an outline or runs
  Section section_ = Section::other;
  Field field_ = Field::other;
  std::string key_;
  bool in_runs_ = false;
  std::string runs_key_;
  std::size_t outline_at_ = 0;  ///< where the current outline's length stands
  Entry entry_;
};

}  // namespace seedbed::dataset
