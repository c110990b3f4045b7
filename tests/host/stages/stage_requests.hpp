#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "protocol/stage.hpp"
#include "stages/group.hpp"

/// Requests as the plan writes them, on small scenes and the tree's own plugins.
namespace seedbed::stages {

using protocol::GroupRequest;
using protocol::Json;
using protocol::MethodBinding;
using protocol::StageSpec;
using protocol::StageType;

/// A method of a built plugin ("cam" of seedbed_cam.so) with its defaults and `changes`.
MethodBinding builtin(const std::string& library, const std::string& id, const Json& changes = Json::object());

/// A method of a fixture plugin.
MethodBinding fixture(const std::string& library, const std::string& id);

/// Ids of scenes [from, to).
std::vector<std::string> scene_ids(int from, int to);

/// A stage whose key starts with `name` (padded to 64 digits of the same alphabet).
StageSpec stage(StageType type, const std::string& operation, const std::string& name,
                std::vector<std::string> image_ids);

/// The key that stage() gives for a name.
std::string key_of(const std::string& name);

/// A resolved `train` table of a short fit, with `changes`.
Json train_table(const Json& changes = Json::object());

// The stages of a small study; `role` is in their names and keys.
StageSpec fit_cam(const Json& train = Json::object());
StageSpec cam_seeds(const std::string& role, int from, int to, bool trained = true);
StageSpec pamr_on(const StageSpec& maps);
StageSpec refined_by(const MethodBinding& refiner, const StageSpec& maps);
StageSpec labels_of(const StageSpec& maps, const Json& rule);
StageSpec score_of(const StageSpec& labels, const Json& rule);
StageSpec sweep_of(const StageSpec& maps);

/// A request that runs the stages on 48 px scenes below `folder`.
GroupRequest request(const std::filesystem::path& folder, std::vector<StageSpec> stages);

/// Keeps results in memory; cancels at a given progress.
class Recorder : public GroupObserver {
 public:
  void progress(std::string_view stage_key, std::int64_t done, std::int64_t total) override;
  void losses(std::string_view stage_key, const std::map<std::string, double>& terms) override;
  void working_on(std::string_view, std::string_view) override {}
  void log(LogLevel level, std::string_view message) override;
  bool cancelled() const override { return cancel; }
  void stage_over(protocol::StageResult result) override { results.push_back(std::move(result)); }

  const protocol::StageResult& of(const StageSpec& spec) const;

  std::vector<protocol::StageResult> results;
  std::vector<std::map<std::string, double>> losses_told;
  std::function<void(std::int64_t done)> on_progress;
  std::string log_text;
  std::int64_t cancel_at = -1;
  bool cancel = false;
};

/// Runs the request in this process. `recorder` may bring a cancellation.
Recorder run(const GroupRequest& request, Recorder recorder = {});

/// The value of a metric. Fails the test where there is none.
double metric(const protocol::StageResult& result, const std::string& name, const std::string& rule = "",
              const std::string& class_name = "");

}  // namespace seedbed::stages
