#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "dataset/dataset.hpp"
#include "manifest/catalogue.hpp"
#include "protocol/stage.hpp"
#include "store/store.hpp"
#include "study/study.hpp"

// From a study to the unique stages it needs, each under its content key. Nothing here runs or loads a method.
namespace seedbed::plan {

using Json = nlohmann::ordered_json;

struct PlannedStage {
  protocol::StageSpec spec;  ///< `keep` is settled by outstanding_work
  store::StageRecord record;
  std::size_t dataset = 0;  ///< index into Plan::datasets
  std::string device = "cpu";
  std::int64_t threads = 1;
  bool deterministic = true;
  bool keep_requested = false;      ///< the study asked for the file
  std::vector<std::size_t> inputs;  ///< indices of the stages that spec.inputs name, in the same order
};

struct Plan {
  std::vector<PlannedStage> stages;  ///< inputs before their readers
  std::vector<std::shared_ptr<const dataset::Dataset>> datasets;
  store::StudyRecord study;   ///< with its cells (one a grid point and random seed)
  std::vector<Json> plugins;  ///< facts of the libraries that take part, for the store

  const PlannedStage* find(std::string_view key) const;
};

/// Unrolls the study's cells into stages and folds equal ones.
///
/// Image, mask and weights files are digested (from the per-user cache where they did not change).
/// Throws: UserErrors for data and weights that cannot be read.
Plan make_plan(const study::Study& study, const manifest::Catalogue& catalogue);

}  // namespace seedbed::plan
