#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "images/decoded_content.hpp"
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
  /// The latest loss terms of a fit; told before the progress of the step.
  virtual void losses(std::string_view stage_key, const std::map<std::string, double>& terms) = 0;
  /// What is about to be computed, told before each image of each member; `image_id` is empty for a fit. Very cheap: it
  /// is what is known of a process that dies.
  virtual void working_on(std::string_view stage_key, std::string_view image_id) = 0;
  virtual void log(LogLevel level, std::string_view message) = 0;
  virtual bool cancelled() const = 0;
  /// A stage is over, well or not; its artefacts are in place. Environment and attempt are the observer's to fill in.
  virtual void stage_over(protocol::StageResult result) = 0;
};

/// What a process keeps from one group to the next: plugins, and the data set with its latest images.
class Session {
 public:
  plugin::Registry& registry() { return registry_; }

  /// The content of the data set that a resolved table describes; opened anew where the table is another.
  std::shared_ptr<images::DecodedContent> content(const protocol::Json& dataset);

 private:
  plugin::Registry registry_;
  std::string table_;
  std::shared_ptr<images::DecodedContent> content_;
};

/// Runs the stages of a group as README.md says. What goes wrong in a stage becomes its result.
/// Throws: UserError where the data set or device cannot be had, for all stages at once.
void run_group(const protocol::GroupRequest& request, Session& session, GroupObserver& observer);

}  // namespace seedbed::stages
