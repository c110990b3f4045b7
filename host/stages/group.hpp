#pragma once

#include <cstdint>
#include <string_view>

#include "plugin/registry.hpp"
#include "protocol/stage.hpp"
#include "seedbed/run_context.hpp"

namespace seedbed::stages {

/// What a group asks of the process it runs in.
class GroupObserver {
 public:
  virtual ~GroupObserver() = default;
  /// Cheap; may be called for every image or step.
  virtual void progress(std::string_view stage_key, std::int64_t done, std::int64_t total) = 0;
  virtual void log(LogLevel level, std::string_view message) = 0;
  virtual bool cancelled() const = 0;
  /// A stage is over, well or not; its artefacts are in place. Environment and attempt are the observer's to fill in.
  virtual void stage_over(protocol::StageResult result) = 0;
};

/// Runs the stages of a group as README.md says. What goes wrong in a stage becomes its result.
/// Throws: UserError where the data set or device cannot be had, for all stages at once.
void run_group(const protocol::GroupRequest& request, plugin::Registry& registry, GroupObserver& observer);

}  // namespace seedbed::stages
