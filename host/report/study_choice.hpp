#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "store/store.hpp"

namespace seedbed::report {

/// One recorded plan of a study.
struct ChosenStudy {
  std::int64_t id = 0;
  std::string name;
  std::string plan_digest;
  std::int64_t images_limit = 0;
  std::vector<std::string> axes;
  store::Json report;
  store::Json exclusions;
};

/// The plan of `name` that was run last ("" = of any study). With `every_limit` also the last plans of that study on
/// other numbers of images; the last one comes first.
/// Throws: UserError where there is none, with the nearest name.
std::vector<ChosenStudy> chosen_studies(const store::Store& store, const std::string& name, bool every_limit);

}  // namespace seedbed::report
