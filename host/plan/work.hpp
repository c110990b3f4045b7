#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "plan/plan.hpp"

namespace seedbed::plan {

/// Stages that one worker runs together, streamed image by image. A fit is alone.
struct Group {
  std::string name;
  std::vector<std::size_t> stages;  ///< indices into Plan::stages, inputs before readers
  std::vector<std::size_t> after;   ///< indices of groups that must be done first
};

/// What is left to do for a plan, given what the store has.
struct Work {
  std::vector<Group> groups;
  std::vector<bool> needed;    ///< per stage: part of some group
  std::vector<bool> keep;      ///< per stage: its artefact is written (another group, or the study, wants it)
  std::size_t num_reused = 0;  ///< finished stages that answer for a cell or feed a needed stage
  std::size_t num_spared = 0;  ///< stages that nothing needs any more
};

/// Whether a finished stage's artefact files are all there.
using ArtefactsPresent = std::function<bool(const PlannedStage&, const store::StageStatus&)>;

/// Starts from the scores (and the files that the study keeps) that are not done and asks for their inputs: a done
/// input with its artefact is reused, anything else is made again. Maps go to readers in the same group without being
/// written; what a later group reads is written.
Work outstanding_work(const Plan& plan, const std::map<std::string, store::StageStatus>& statuses,
                      const ArtefactsPresent& artefacts_present);

}  // namespace seedbed::plan
