#pragma once

#include <string>
#include <vector>

#include "dataset/dataset.hpp"
#include "support/temp_folder.hpp"

namespace seedbed::testing {

using Json = nlohmann::ordered_json;

/// Corners of the rectangle of pixels [left, right) x [top, bottom), as an outline.
inline Json rectangle(int left, int top, int right, int bottom) {
  return Json::array({left, top, right, top, right, bottom, left, bottom});
}

/// An annotation whose mask is that rectangle, and its box and area.
inline Json annotation(int id, int image_id, int category_id, int left, int top, int right, int bottom) {
  return {{"id", id},
          {"image_id", image_id},
          {"category_id", category_id},
          {"iscrowd", 0},
          {"area", (right - left) * (bottom - top)},
          {"bbox", {left, top, right - left, bottom - top}},
          {"segmentation", Json::array({rectangle(left, top, right, bottom)})}};
}

/// Three images of 6 x 4 pixels (width x height) with cats (category 3), dogs (7) and a crowd of dogs:
/// `a`: a large cat under a small dog; `b`: one dog, and a crowd of dogs over its right half and beyond; `c`: nothing.
inline Json small_annotations() {
  Json crowd = annotation(12, 2, 7, 2, 0, 6, 4);
  crowd["iscrowd"] = 1;
  crowd["segmentation"] = {{"size", {4, 6}}, {"counts", {8, 16}}};
  return {
      {"info", {{"year", 2017}, {"nested", {{"list", {1, {2, 3}}}}}}},
      {"images",
       {{{"id", 1}, {"file_name", "a.jpg"}, {"height", 4}, {"width", 6}},
        {{"id", 2}, {"file_name", "sub/b.jpg"}, {"height", 4}, {"width", 6}},
        {{"id", 3}, {"file_name", "c.jpg"}, {"height", 4}, {"width", 6}}}},
      {"categories",
       {{{"id", 7}, {"name", "dog"}, {"supercategory", "animal"}},
        {{"id", 3}, {"name", "cat"}, {"supercategory", "animal"}}}},
      {"annotations",
       {annotation(10, 1, 7, 1, 1, 3, 3), annotation(5, 1, 3, 0, 0, 4, 4), annotation(11, 2, 7, 0, 0, 4, 2), crowd}}};
}

/// A folder with those annotations as `annotations/instances_train.json`.
class CocoFolder {
 public:
  CocoFolder() { write_annotations(small_annotations()); }

  void write_annotations(const Json& annotations) const {
    folder_.write("annotations/instances_train.json", annotations.dump());
  }

  Json table() const {
    return {{"kind", "coco"},
            {"root", folder_.path().string()},
            {"annotations", "annotations/instances_train.json"},
            {"roles", {{"train", "instances_train"}, {"test", "instances_train"}}}};
  }

  Json with(const std::string& key, Json value) const {
    Json changed = table();
    changed[key] = std::move(value);
    return changed;
  }

  const TempFolder& folder() const { return folder_; }

 private:
  TempFolder folder_;
};

}  // namespace seedbed::testing
