#include "fit/checkpoint.hpp"

#include <string_view>

#include <ATen/ATen.h>

#include "seedbed/error.hpp"
#include "weights/safetensors.hpp"

namespace seedbed::fit {
namespace {

using Json = nlohmann::ordered_json;
constexpr int kFormat = 1;
constexpr const char* kMetadata = "seedbed";

void add(weights::OrderedTensors& tensors, std::string_view part, const NamedTensors& named) {
  for (const auto& [name, tensor] : named) tensors.emplace_back(std::string(part) + name, tensor);
}

NamedTensors part_of(const NamedTensors& tensors, std::string_view prefix) {
  NamedTensors part;
  for (const auto& [name, tensor] : tensors) {
    if (name.starts_with(prefix)) part[name.substr(prefix.size())] = tensor;
  }
  return part;
}

}  // namespace

void write_resume_point(const std::filesystem::path& file, const ResumePoint& point) {
  weights::OrderedTensors tensors;
  add(tensors, "module/", point.module);
  add(tensors, "teacher/", point.teacher);
  add(tensors, "optimiser/", point.optimiser);
  add(tensors, "store/", point.stores);
  const Json header{{"format", kFormat}, {"step", point.step}, {"loss_log", point.loss_log}};
  std::filesystem::create_directories(file.parent_path());
  weights::write_safetensors(file, tensors, {{kMetadata, header.dump()}});
}

std::optional<ResumePoint> read_resume_point(const std::filesystem::path& file) {
  if (!std::filesystem::exists(file)) return std::nullopt;
  const auto content = weights::SafetensorsFile::open(file);
  const auto metadata = content->metadata().find(kMetadata);
  const Json header = metadata == content->metadata().end() ? Json() : Json::parse(metadata->second, nullptr, false);
  if (!header.is_object() || header.value("format", 0) != kFormat) {
    throw UserError(file.string(), "The resume point is not one of this version.", "remove it; the fit starts anew");
  }
  NamedTensors tensors;
  // Clones, since the next resume point takes this one's place on the disk.
  for (const auto& entry : content->entries()) tensors[entry.name] = content->tensor(entry.name).clone();
  ResumePoint point;
  point.step = header.at("step");
  point.loss_log = header.at("loss_log");
  point.module = part_of(tensors, "module/");
  point.teacher = part_of(tensors, "teacher/");
  point.optimiser = part_of(tensors, "optimiser/");
  point.stores = part_of(tensors, "store/");
  return point;
}

NamedTensors checkpoint_tensors(const NamedTensors& module, const NamedTensors& teacher, const NamedTensors& stores) {
  NamedTensors all = module;
  for (const auto& [name, tensor] : teacher) all["teacher/" + name] = tensor;
  for (const auto& [name, tensor] : stores) all["store/" + name] = tensor;
  return all;
}

NamedTensors module_part(const NamedTensors& checkpoint) {
  NamedTensors part;
  for (const auto& [name, tensor] : checkpoint) {
    // Dots join a module's names; only the other parts have a stroke.
    if (name.find('/') == std::string::npos) part[name] = tensor;
  }
  return part;
}

}  // namespace seedbed::fit
