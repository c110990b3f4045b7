#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>

#include "protocol/stage.hpp"
#include "seedbed/run_context.hpp"

namespace seedbed::plugin {

/// What all methods of a stage share.
class StageServices {
 public:
  virtual ~StageServices() = default;
  virtual c10::Device device() const = 0;
  virtual void progress(std::int64_t done, std::int64_t total) = 0;
  /// The latest loss terms of a fit, shown beside its progress.
  virtual void losses(const std::map<std::string, double>& terms) = 0;
  virtual void log(LogLevel level, std::string_view message) = 0;
  virtual bool cancelled() const = 0;
};

/// The tensors of a fit stage's checkpoint, below the artefact folder. Throws: UserError where it is not there.
NamedTensors read_checkpoint(const std::filesystem::path& artefact_folder, std::string_view key);

/// One method's view of what is ambient: the stage's services, its own generator, its own files.
class MethodRun : public RunContext {
 public:
  MethodRun(StageServices& services, const protocol::MethodBinding& binding, std::filesystem::path artefact_folder,
            bool checkpoints_activations = false);

  c10::Device device() const override { return services_.device(); }
  at::Generator generator() const override { return generator_; }
  bool checkpoints_activations() const override { return checkpoints_activations_; }
  void progress(std::int64_t done, std::int64_t total) override { services_.progress(done, total); }
  void log(LogLevel level, std::string_view message) override;
  void check_cancelled() const override;
  NamedTensors weights(std::string_view parameter) override;
  std::string file(std::string_view parameter) override;

  /// Whether the study named a file or a node for `parameter`.
  bool has_weights(std::string_view parameter) const;

 private:
  StageServices& services_;
  std::string method_;
  std::map<std::string, std::string> files_;
  std::map<std::string, std::string> nodes_;
  std::filesystem::path artefact_folder_;
  bool checkpoints_activations_;
  at::Generator generator_;
};

}  // namespace seedbed::plugin
