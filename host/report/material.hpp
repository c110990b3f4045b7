#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "report/study_choice.hpp"
#include "report/table.hpp"

namespace seedbed::report {

/// One row of v_seed_means.
struct Mean {
  std::int64_t point = 0;
  std::string target, metric, role, rule, unit, purpose, stage_type;
  Number number;
};

/// A grid point, and what of it is not there.
struct Point {
  using Levels = std::map<std::string, std::string>;  // axis -> label
  Levels levels;
  std::vector<Levels> folded;                              ///< grid points of the same configuration
  std::map<std::string, std::int64_t> num_cells;           ///< random seeds, by purpose of a score
  std::map<std::string, std::vector<std::string>> absent;  ///< by purpose: one reason a random seed without result
  std::string shown;                                       ///< what its methods were shown
};

/// What is known of one plan, before it is laid out.
struct Material {
  ChosenStudy study;
  std::vector<Mean> means;  ///< of one class, or of totals
  std::map<std::int64_t, Point> points;
  std::set<std::string> answered;     ///< purposes that have numbers
  std::vector<std::string> purposes;  ///< in the order of the plan
  std::int64_t num_environments = 0;  ///< that made its numbers
};

Material read_material(const store::Store& store, const ChosenStudy& study, const std::string& class_name);

}  // namespace seedbed::report
