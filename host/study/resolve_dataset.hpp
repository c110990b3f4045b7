#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "dataset/dataset.hpp"
#include "study/table_reader.hpp"

namespace seedbed::study {

/// Data sets of the cells: each distinct `[dataset]` table is opened once, and told wrong once.
class Datasets {
 public:
  Datasets(Findings& findings, std::int64_t images_limit) : findings_(findings), images_limit_(images_limit) {}

  /// The opened data set of a study's `[dataset]`; null where something is wrong with it (which is found).
  std::shared_ptr<const dataset::Dataset> open(const Node& table);

 private:
  std::shared_ptr<const dataset::Dataset> open_anew(const Node& table, const Json& json);

  Findings& findings_;
  std::int64_t images_limit_;
  std::map<std::string, std::shared_ptr<const dataset::Dataset>> opened_;
};

}  // namespace seedbed::study
