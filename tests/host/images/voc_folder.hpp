#pragma once

#include <memory>
#include <string>
#include <vector>

#include <ATen/ATen.h>

#include "dataset/dataset.hpp"
#include "image_files.hpp"
#include "images/encode.hpp"
#include "support/temp_folder.hpp"

namespace seedbed::testing {

/// A small VOC folder on disk: images "a" .. of different sizes, masks with label 1 in the upper left quarter, saliency,
/// and on request maps of objects: number 3, with a void row under it.
class VocFolder {
 public:
  explicit VocFolder(int num_images = 5, bool with_instances = false) {
    std::string list, labels;
    for (int i = 0; i < num_images; ++i) {
      const std::string id(1, static_cast<char>('a' + i));
      const std::int64_t height = 20 + i, width = 30 + 2 * i;
      folder_.write("JPEGImages/" + id + ".jpg", jpeg_bytes(height, width, 3));
      at::Tensor mask = at::zeros({height, width}, at::kByte);
      mask.narrow(0, 0, height / 2).narrow(1, 0, width / 2).fill_(1);
      folder_.write("SegmentationClass/.keep", "");
      folder_.write("Saliency/.keep", "");
      images::write_label_png(folder_ / ("SegmentationClass/" + id + ".png"), mask);
      images::write_image_png(folder_ / ("Saliency/" + id + ".png"), mask * 255);
      if (with_instances) {
        folder_.write("SegmentationObject/.keep", "");
        at::Tensor objects = mask * 3;
        objects.select(0, height / 2).fill_(255);
        images::write_label_png(folder_ / ("SegmentationObject/" + id + ".png"), objects);
      }
      list += id + "\n";
      labels += id + " 1\n";
    }
    folder_.write("ImageSets/Segmentation/train.txt", list);
    folder_.write("cls_labels.txt", labels);
  }

  dataset::Json table() const {
    return {{"kind", "voc"},
            {"root", folder_.path().string()},
            {"labels", "cls_labels.txt"},
            {"side", {{"saliency", "Saliency"}}},
            {"roles", {{"train", "train"}, {"measure", "train"}}}};
  }
  std::shared_ptr<const dataset::Dataset> open() const { return dataset::Dataset::open(table()); }
  const TempFolder& folder() const { return folder_; }

 private:
  TempFolder folder_;
};

}  // namespace seedbed::testing
