#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "plan/bindings.hpp"
#include "plan/plan.hpp"

namespace seedbed::plan {

/// Gathers the stages of all cells of a plan; equal keys are one stage.
class StageTable {
 public:
  StageTable(Plan& plan, Bindings& bindings, ContentDigests& digests)
      : plan_(plan), bindings_(bindings), digests_(digests) {}

  /// What makes a stage, before it has a key.
  struct Draft {
    protocol::StageType type = protocol::StageType::map;
    std::string operation;
    std::string node;
    std::string role;
    std::vector<std::string> image_ids;
    std::vector<std::string> contents;  ///< what of the images is read: "image", "image_labels", "mask", "side:NAME"
    std::map<std::string, protocol::MethodBinding> methods;
    Json settings = Json::object();
    std::vector<std::pair<std::string, std::size_t>> inputs;  ///< name -> index of the stage
    /// Further roles that a fit opens: "validate", "stream:NAME" -> the role, and what of its images is read.
    std::map<std::string, std::pair<std::string, std::vector<std::string>>> other_images = {};
    bool draws_numbers = false;
    bool computes_floats = true;  ///< counts and choices do not depend on threads
    bool keep = false;
  };

  /// Settings that hold for the whole cell.
  struct Cell {
    std::size_t dataset = 0;
    std::int64_t random_seed = 0;
    Json execution;
    std::int64_t images_limit = 0;
  };

  std::size_t add(Draft draft, const Cell& cell);

  Plan& plan() { return plan_; }
  Bindings& bindings() { return bindings_; }

 private:
  Json key_parts(const Draft& draft, const Cell& cell);

  Plan& plan_;
  Bindings& bindings_;
  ContentDigests& digests_;
  std::map<std::string, std::size_t> by_key_;
};

/// Adds the stages of one resolved cell under one random seed, and tells which of them answer for it.
std::vector<store::CellStage> plan_cell(const Json& resolved, const StageTable::Cell& cell, StageTable& table);

}  // namespace seedbed::plan
