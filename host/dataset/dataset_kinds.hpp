#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "dataset/dataset.hpp"
#include "seedbed/error.hpp"

// The kinds of data sets that Dataset::open knows; each reads its own table. A new kind is one more pair here and one
// more line in dataset.cpp.
namespace seedbed::dataset {

std::shared_ptr<const Dataset> open_scenes(const Json& table, std::int64_t images_limit);
std::shared_ptr<const Dataset> open_voc(const Json& table, std::int64_t images_limit);
std::shared_ptr<const Dataset> open_coco(const Json& table, std::int64_t images_limit);
std::shared_ptr<const Dataset> open_folder(const Json& table, std::int64_t images_limit);

/// What is thrown where boxes are asked of a kind that has none.
UserError no_boxes(const std::string& kind);

const std::vector<std::string>& scenes_keys();
const std::vector<std::string>& voc_keys();
const std::vector<std::string>& coco_keys();
const std::vector<std::string>& folder_keys();

}  // namespace seedbed::dataset
