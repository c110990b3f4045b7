#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "dataset/coco_annotations.hpp"
#include "dataset/dataset.hpp"

namespace seedbed::dataset {

/// The class table of a `coco` data set, and which of its values each category has.
struct CocoClasses {
  ClassTable table;
  std::map<std::int64_t, std::uint8_t> value_of_category;

  /// 0..C or 255. Requires: a category that `require_categories` let pass.
  std::uint8_t label_of(std::int64_t category_id) const;
};

/// The categories themselves, in the order of their numbers: 1, 2, ... are values and labels.
/// Throws: UserError for none, more than 253, or two of one name.
CocoClasses classes_of_categories(const CocoAnnotations& annotations);

/// A classes file as `read_classes` takes it; column `coco_category_id`, else `category_id`, else `id` says which category
/// a line stands for (0: none). Throws: UserErrors with file and line.
CocoClasses read_coco_classes(const std::filesystem::path& file, const std::string& protocol, const std::string& names);

/// Throws: UserError naming the annotations' file and the categories without a class.
void require_categories(const CocoClasses& classes, const CocoAnnotations& annotations);

}  // namespace seedbed::dataset
