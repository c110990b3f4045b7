#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include <ATen/core/Tensor.h>

#include "dataset/dataset.hpp"

namespace seedbed::images {

/// Decodes (or renders) the content of a data set's images; keeps the latest within a limit of bytes. Counts nothing:
/// stages reach it through LabelledImages only.
///
/// Threads: [any-thread]; two threads that ask for the same content at once may both decode it.
class DecodedContent {
 public:
  explicit DecodedContent(std::shared_ptr<const dataset::Dataset> dataset, std::int64_t cache_bytes = 256 << 20);

  const dataset::Dataset& dataset() const { return *dataset_; }

  at::Tensor image(std::string_view image_id);  ///< [H,W,3] uint8 RGB
  /// Throws: UserError also where mask and image differ in size.
  at::Tensor mask(std::string_view image_id);  ///< [H,W] uint8: 0..C, 255
  /// [H,W] uint8: 0, a number for each object, 255. Throws: UserError also where it differs from the image in size.
  at::Tensor instances(std::string_view image_id);
  at::Tensor side(
      std::string_view name,
      std::string_view image_id);  ///< [H,W] uint8, of the image's size: grey values, or labels where its kind says so
  std::vector<std::int64_t> image_labels(std::string_view image_id);  ///< of the label file, or of the mask

 private:
  struct Kept {
    std::string key;
    at::Tensor value;
  };

  at::Tensor kept(std::string key, const std::function<at::Tensor()>& make);
  void keep(std::string key, const at::Tensor& value);
  at::Tensor render(std::string_view what, std::string_view image_id);

  std::shared_ptr<const dataset::Dataset> dataset_;
  std::int64_t cache_bytes_;
  std::mutex mutex_;
  std::int64_t bytes_ = 0;
  std::list<Kept> latest_;  ///< most recent first
  std::map<std::string, std::list<Kept>::iterator, std::less<>> by_key_;
};

}  // namespace seedbed::images
