#include "plugin/method_run.hpp"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>

#include "fit/checkpoint.hpp"
#include "protocol/artefact_paths.hpp"
#include "seedbed/error.hpp"
#include "weights/read_weights.hpp"

namespace seedbed::plugin {
namespace {

at::Generator make_generator(c10::Device device) {
  if (device.is_cpu()) return at::make_generator<at::CPUGeneratorImpl>();
  return at::globalContext().defaultGenerator(device).clone();
}

}  // namespace

NamedTensors read_checkpoint(const std::filesystem::path& artefact_folder, std::string_view key) {
  const std::filesystem::path file = artefact_folder / protocol::stage_folder(key) / "checkpoint.safetensors";
  if (!std::filesystem::exists(file)) {
    throw UserError(file.string(), "The checkpoint of an earlier stage is not there.",
                    "run the study again: it will be made");
  }
  return weights::read_weights(file);
}

MethodRun::MethodRun(StageServices& services, const protocol::MethodBinding& binding,
                     std::filesystem::path artefact_folder, bool checkpoints_activations)
    : services_(services),
      method_(binding.id),
      files_(binding.files),
      nodes_(binding.input_nodes),
      artefact_folder_(std::move(artefact_folder)),
      checkpoints_activations_(checkpoints_activations),
      generator_(make_generator(services.device())) {}

void MethodRun::log(LogLevel level, std::string_view message) {
  services_.log(level, method_ + ": " + std::string(message));
}

void MethodRun::check_cancelled() const {
  if (services_.cancelled()) throw Cancelled();
}

bool MethodRun::has_weights(std::string_view parameter) const {
  const std::string name(parameter);
  return files_.contains(name) || nodes_.contains(name);
}

NamedTensors MethodRun::weights(std::string_view parameter) {
  const auto node = nodes_.find(std::string(parameter));
  if (node != nodes_.end()) return fit::module_part(read_checkpoint(artefact_folder_, node->second));
  return weights::read_weights(file(parameter));
}

std::string MethodRun::file(std::string_view parameter) {
  const auto found = files_.find(std::string(parameter));
  if (found == files_.end()) {
    throw UserError(method_, "The study names no file for `" + std::string(parameter) + "`.",
                    "set `" + std::string(parameter) + "` of the method `" + method_ + "`");
  }
  if (!std::filesystem::exists(found->second)) {
    throw UserError(found->second, "The file does not exist.",
                    "`seedbed doctor` says where files of a study come from");
  }
  return found->second;
}

}  // namespace seedbed::plugin
