#include "dataset/coco_reader.hpp"

#include <algorithm>
#include <cmath>
#include <set>
#include <string_view>
#include <utility>

#include "dataset/table_reader.hpp"

namespace seedbed::dataset {
namespace {

constexpr std::size_t kMostProblems = 20;
constexpr std::int64_t kMostPixels = 100'000'000;  ///< of an image: as many as host/images decodes
constexpr const char* kFormatHint = "COCO's format: https://cocodataset.org/#format-data, object detection.";

std::string quoted(std::int64_t id) { return "`" + std::to_string(id) + "`"; }

}  // namespace

CocoReader::CocoReader(std::filesystem::path file) : file_(std::move(file)) {}

CocoReader::Field CocoReader::field_of(Section section, const std::string& key) {
  struct Known {
    Section section;
    std::string_view key;
    Field field;
  };
  static constexpr Known known[] = {
      {Section::images, "id", Field::id},
      {Section::images, "file_name", Field::name},
      {Section::images, "height", Field::height},
      {Section::images, "width", Field::width},
      {Section::categories, "id", Field::id},
      {Section::categories, "name", Field::name},
      {Section::annotations, "id", Field::id},
      {Section::annotations, "image_id", Field::image_id},
      {Section::annotations, "category_id", Field::category_id},
      {Section::annotations, "area", Field::area},
      {Section::annotations, "iscrowd", Field::iscrowd},
      {Section::annotations, "bbox", Field::bbox},
      {Section::annotations, "segmentation", Field::segmentation},
  };
  for (const Known& each : known)
    if (each.section == section && each.key == key) return each.field;
  return Field::other;
}

bool CocoReader::key(std::string& name) {
  if (depth_ == 1) {
    section_ = name == "images"        ? Section::images
               : name == "categories"  ? Section::categories
               : name == "annotations" ? Section::annotations
                                       : Section::other;
  } else if (depth_ == 3) {
    field_ = field_of(section_, name);
    key_ = name;
  } else if (depth_ == 4 && in_runs_) {
    runs_key_ = name;
  }
  return true;
}

bool CocoReader::start_object(std::size_t) {
  if (++depth_ == 3) {
    entry_ = {};
    field_ = Field::other;
  } else if (depth_ == 4) {
    in_runs_ = field_ == Field::segmentation;
    runs_key_.clear();
    entry_.has_segmentation |= in_runs_;
    if (!in_runs_) wrong_value();
  } else if (depth_ == 2 && section_ != Section::other) {
    problem("A part of the annotations is no list.", kFormatHint);
    return false;
  } else if (depth_ > 4) {
    wrong_value();
  }
  return true;
}

bool CocoReader::end_object() {
  --depth_;
  if (depth_ == 3) in_runs_ = false;
  return depth_ != 2 || finish_entry();
}

bool CocoReader::start_array(std::size_t) {
  ++depth_;
  if (depth_ == 2) {
    seen_sections_[static_cast<std::size_t>(section_)] = true;
  } else if (depth_ == 4) {
    entry_.has_segmentation |= field_ == Field::segmentation;
    if (field_ != Field::segmentation && field_ != Field::bbox) wrong_value();
  } else if (depth_ == 5 && field_ == Field::segmentation && !in_runs_) {
    outline_at_ = entry_.object.outlines.size();
    entry_.object.outlines.push_back(0);
  } else if (depth_ == 3 || depth_ > 5 || field_ == Field::bbox) {
    wrong_value();
  }
  return true;
}

bool CocoReader::end_array() {
  if (depth_ == 5 && field_ == Field::segmentation && !in_runs_ && section_ == Section::annotations) {
    std::vector<std::int32_t>& outlines = entry_.object.outlines;
    const std::size_t length = outlines.size() - outline_at_ - 1;
    if (length % 2 != 0) wrong_value();
    outlines[outline_at_] = static_cast<std::int32_t>(length);
  }
  --depth_;
  return true;
}

bool CocoReader::boolean(bool value) {
  return depth_ == 3 && field_ == Field::iscrowd ? number(value ? 1 : 0) : other_value();
}

bool CocoReader::number(double value) {
  const bool is_list = field_ == Field::bbox || field_ == Field::segmentation || field_ == Field::name;
  if (depth_ == 3 && !is_list) {
    entry_.numbers[static_cast<std::size_t>(field_)] = value;
  } else if (depth_ == 4 && field_ == Field::bbox) {
    entry_.bbox.push_back(value);
  } else if (depth_ == 5 && field_ == Field::segmentation && in_runs_) {
    if (runs_key_ == "counts") add_run(value);
    if (runs_key_ == "size") entry_.runs_size.push_back(value);
  } else if (depth_ == 5 && field_ == Field::segmentation) {
    add_coordinate(value);
  } else {
    wrong_value();
  }
  return true;
}

bool CocoReader::string(std::string& value) {
  if (depth_ == 3 && field_ == Field::name) {
    entry_.name = std::move(value);
  } else if (depth_ == 4 && in_runs_ && runs_key_ == "counts") {
    try {
      entry_.object.runs = runs_from_text(value);
    } catch (const UserError&) {
      wrong_value();
    }
  } else {
    wrong_value();
  }
  return true;
}

bool CocoReader::other_value() {
  wrong_value();
  return true;
}

// Only of keys that are read; whatever else a file holds is its own business.
void CocoReader::wrong_value() {
  if (depth_ < 3 || section_ == Section::other || field_ == Field::other) return;
  if (in_runs_ && runs_key_ != "counts" && runs_key_ != "size") return;
  if (std::ranges::find(entry_.wrong, key_) == entry_.wrong.end()) entry_.wrong.push_back(key_);
}

void CocoReader::add_coordinate(double value) {
  const bool legal = std::abs(value) <= kLargestCoordinate;
  if (!legal) wrong_value();
  entry_.object.outlines.push_back(legal ? fine_coordinate(value) : 0);
}

void CocoReader::add_run(double value) {
  const bool legal = value >= 0 && value <= UINT32_MAX && value == std::floor(value);
  if (!legal) wrong_value();
  entry_.object.runs.push_back(legal ? static_cast<std::uint32_t>(value) : 0);
}

bool CocoReader::parse_error(std::size_t, const std::string&, const nlohmann::detail::exception& error) {
  const std::string_view text = error.what();
  const std::size_t prefix = text.find("] ");
  problem("The annotations are no valid JSON: `" +
              std::string(text.substr(prefix == std::string_view::npos ? 0 : prefix + 2)) + "`.",
          "The file may be damaged or cut off.");
  return false;
}

bool CocoReader::finish_entry() {
  if (section_ == Section::images) finish_image();
  if (section_ == Section::categories) finish_category();
  if (section_ == Section::annotations) finish_annotation();
  return problems_.size() < kMostProblems;
}

// A key that is missing, or not what it should be, makes a problem; `what` begins its sentence.
bool CocoReader::lacks(std::initializer_list<Field> fields, const std::string& what) {
  const auto id = entry_.numbers[static_cast<std::size_t>(Field::id)];
  const std::string name = id ? "`" + std::to_string(static_cast<std::int64_t>(*id)) + "`" : "`" + entry_.name + "`";
  if (!entry_.wrong.empty()) {
    problem(what + " has values of the wrong kind: " + name + ", " + quoted_list(entry_.wrong) + ".", kFormatHint);
    return true;
  }
  for (const Field field : fields) {
    const auto& number = entry_.numbers[static_cast<std::size_t>(field)];
    const bool is_whole = number && *number == std::floor(*number) && std::abs(*number) < 9e15;
    if (field == Field::area ? number.has_value() && std::isfinite(*number) : is_whole) continue;
    problem(what + " lacks a number that it needs: " + name + ".", kFormatHint);
    return true;
  }
  return false;
}

std::int64_t CocoReader::whole(Field field) {
  return static_cast<std::int64_t>(entry_.numbers[static_cast<std::size_t>(field)].value_or(0));
}

void CocoReader::finish_image() {
  if (lacks({Field::id, Field::height, Field::width}, "An image")) return;
  const std::int64_t height = whole(Field::height), width = whole(Field::width);
  if (entry_.name.empty() || height < 1 || width < 1 || height > kMostPixels / width) {
    problem("An image has no name or an impossible size: " + quoted(whole(Field::id)) + ".", kFormatHint);
    return;
  }
  images_.push_back({whole(Field::id), std::filesystem::path(entry_.name).stem().string(), height, width, {}});
}

void CocoReader::finish_category() {
  if (lacks({Field::id}, "A category")) return;
  if (entry_.name.empty()) problem("A category has no name: " + quoted(whole(Field::id)) + ".", kFormatHint);
  categories_.push_back({whole(Field::id), std::move(entry_.name)});
}

void CocoReader::finish_annotation() {
  if (lacks({Field::id, Field::image_id, Field::category_id, Field::area}, "An annotation")) return;
  const std::int64_t id = whole(Field::id);
  if (entry_.bbox.size() != 4 || !entry_.has_segmentation) {
    problem("An annotation has no mask, or no box of four numbers: " + quoted(id) + ".", kFormatHint);
    return;
  }
  CocoObject& object = entry_.object;
  object.id = id;
  object.category_id = whole(Field::category_id);
  object.area = *entry_.numbers[static_cast<std::size_t>(Field::area)];
  std::ranges::copy(entry_.bbox, object.xywh.begin());
  object.crowd = whole(Field::iscrowd) != 0;
  object.outlines.shrink_to_fit();
  object.runs.shrink_to_fit();
  if (object.outlines.empty()) stated_sizes_.push_back({id, whole(Field::image_id), std::move(entry_.runs_size)});
  objects_of_image_[whole(Field::image_id)].push_back(std::move(object));
}

std::shared_ptr<const CocoAnnotations> CocoReader::take() {
  constexpr std::string_view names[] = {"", "images", "categories", "annotations"};
  for (std::size_t section = 1; problems_.empty() && section < seen_sections_.size(); ++section)
    if (!seen_sections_[section])
      problem("The annotations lack a part: `" + std::string(names[section]) + "`.", kFormatHint);
  throw_if_any(std::move(problems_));
  auto annotations = std::shared_ptr<CocoAnnotations>(new CocoAnnotations);
  annotations->file_ = file_;
  std::ranges::stable_sort(categories_, {}, &CocoCategory::id);
  annotations->categories_ = std::move(categories_);
  annotations->images_ = std::move(images_);
  for (std::size_t i = 0; i < annotations->images_.size(); ++i) {
    const CocoImage& image = annotations->images_[i];
    if (!annotations->image_of_name_.emplace(image.name, i).second)
      problem("Two images have the same name: `" + image.name + "`.", "Names without folder and suffix must differ.");
  }
  link_objects(*annotations);
  check_stated_sizes(*annotations);
  throw_if_any(std::move(problems_));
  return annotations;
}

void CocoReader::link_objects(CocoAnnotations& annotations) {
  std::set<std::int64_t> category_ids;
  for (const CocoCategory& category : annotations.categories_)
    if (!category_ids.insert(category.id).second)
      problem("Two categories have the same number: " + quoted(category.id) + ".", "Each category has its own `id`.");
  std::set<std::int64_t> image_ids;
  for (CocoImage& image : annotations.images_) {
    if (!image_ids.insert(image.id).second)
      problem("Two images have the same number: " + quoted(image.id) + ".", "Each image has its own `id`.");
    auto objects = objects_of_image_.extract(image.id);
    if (objects.empty()) continue;
    image.objects = std::move(objects.mapped());
    image.objects.shrink_to_fit();
    for (const CocoObject& object : image.objects)
      if (!category_ids.contains(object.category_id))
        problem("An annotation has a category that is not there: " + quoted(object.id) + ".",
                "`categories` must hold number " + quoted(object.category_id) + ".");
    check_runs(image);
  }
  for (const auto& [image_id, objects] : objects_of_image_)
    problem("An annotation belongs to an image that is not there: " + quoted(objects.front().id) + ".",
            "`images` must hold number " + quoted(image_id) + ".");
}

void CocoReader::check_runs(const CocoImage& image) {
  for (const CocoObject& object : image.objects)
    if (object.outlines.empty() && num_pixels(object.runs) != image.height_px * image.width_px &&
        !(object.runs.empty()))
      problem("Run lengths do not fill their image: annotation " + quoted(object.id) + ".",
              "They cover " + quoted(num_pixels(object.runs)) + " pixels, the image has " +
                  std::to_string(image.width_px) + " x " + std::to_string(image.height_px) + ".");
}

void CocoReader::check_stated_sizes(const CocoAnnotations& annotations) {
  std::unordered_map<std::int64_t, const CocoImage*> image_of_id;
  if (!stated_sizes_.empty())
    for (const CocoImage& image : annotations.images_) image_of_id.emplace(image.id, &image);
  for (const StatedSize& stated : stated_sizes_) {
    const auto image = image_of_id.find(stated.image_id);
    if (image == image_of_id.end() || stated.height_width.empty()) continue;
    const std::vector<double> expected{static_cast<double>(image->second->height_px),
                                       static_cast<double>(image->second->width_px)};
    if (stated.height_width != expected)
      problem("Run lengths state another size than their image: annotation " + quoted(stated.annotation_id) + ".",
              "`size` holds height and width: " + std::to_string(image->second->height_px) + ", " +
                  std::to_string(image->second->width_px) + ".");
  }
}

void CocoReader::problem(std::string what, std::string hint) {
  if (problems_.size() < kMostProblems) problems_.emplace_back(file_.string(), std::move(what), std::move(hint));
}

}  // namespace seedbed::dataset
