#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "dataset/dataset.hpp"
#include "digest/file_digests.hpp"
#include "protocol/stage.hpp"

namespace seedbed::plan {

using Json = nlohmann::ordered_json;

/// Digests of what stages read from data sets and files, each computed once a plan.
class ContentDigests {
 public:
  std::string file(const std::string& path);

  /// {"ids", and per content "image", "image_labels", "mask", "side:NAME"} for a list of images.
  Json images(const dataset::Dataset& dataset, const std::vector<std::string>& image_ids,
              const std::vector<std::string>& contents);

  /// Of the class names and the remapping of mask values.
  std::string classes(const dataset::Dataset& dataset);

 private:
  digest::FileDigests files_;
  std::map<std::pair<const dataset::Dataset*, std::string>, std::string> known_;
};

}  // namespace seedbed::plan
