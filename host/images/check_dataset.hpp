#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "dataset/dataset.hpp"

namespace seedbed::images {

/// Something wrong with a data set's files.
struct Finding {
  std::string where;    ///< the file, or "image `ID`"
  std::string problem;  ///< one sentence, values in backticks
};

/// Reads every file that the roles list: missing and damaged files, masks and side inputs of another size than their
/// image, masks in colours, values that the class table does not know. Masks are required in every role but `train`,
/// and there too where image labels are taken from them.
/// `progress` is called with images done and in all.
/// Findings come in the order of roles and lists, each image once.
std::vector<Finding> check_dataset(const dataset::Dataset& dataset,
                                   const std::function<void(std::int64_t, std::int64_t)>& progress = {});

/// Opens the data set and checks it; what `Dataset::open` throws becomes findings, too.
std::vector<Finding> check_dataset_table(const dataset::Json& table,
                                         const std::function<void(std::int64_t, std::int64_t)>& progress = {});

}  // namespace seedbed::images
