#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "dataset/dataset.hpp"

namespace seedbed::dataset {

/// VOC 2012's twenty classes, mask values equal to labels.
ClassTable voc_classes();

/// Classes 1..C of these names, mask values equal to labels.
ClassTable plain_classes(std::vector<std::string> names);

/// Reads a classes file: column `id` is the value in masks and label files. With `protocol`, column PROTOCOL_id is the
/// label that it becomes (0 = background); without, `id` itself. Names come from column `names`; where that is "",
/// from `name` if every label stands for one value, else from `supercategory` if that is the same for all its values.
/// Throws: UserErrors with file and line.
ClassTable read_classes(const std::filesystem::path& file, const std::string& protocol, const std::string& names);

}  // namespace seedbed::dataset
