#pragma once

#include <map>
#include <string>

#include "plan/plan.hpp"

namespace seedbed::run {

/// Seconds that stages will take: first a guess in proportion to images, epochs, scales; then what this run has seen.
/// Used for the order of groups and the estimate shown; never for a result.
class CostModel {
 public:
  /// Expected seconds of a stage.
  double seconds(const plan::PlannedStage& stage) const;

  void observe(const plan::PlannedStage& stage, double seconds);

 private:
  struct Seen {
    double units = 0;
    double seconds = 0;
  };
  std::map<std::string, Seen> seen_;  // by operation
};

/// "1:05", "2:03:00".
std::string clock_text(double seconds);

}  // namespace seedbed::run
