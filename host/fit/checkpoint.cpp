#include "fit/checkpoint.hpp"

#include <string>

#include <ATen/ATen.h>

#include "seedbed/error.hpp"
#include "weights/safetensors.hpp"

namespace seedbed::fit {
namespace {

using Json = nlohmann::ordered_json;
constexpr int kFormat = 2;
constexpr const char* kMetadata = "seedbed";

}  // namespace

void write_resume_point(const std::filesystem::path& file, const ResumePoint& point) {
  weights::OrderedTensors tensors;
  for (const auto& [part, named] : point.parts) {
    for (const auto& [name, tensor] : named) tensors.emplace_back(part + "/" + name, tensor);
  }
  const Json header{{"format", kFormat}, {"step", point.step}, {"state", point.state}};
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
  ResumePoint point;
  point.step = header.at("step");
  point.state = header.at("state");
  for (const auto& entry : content->entries()) {
    const std::size_t stroke = entry.name.find('/');
    // Clones, since the next resume point takes this one's place on the disk.
    point.parts[entry.name.substr(0, stroke)][entry.name.substr(stroke + 1)] = content->tensor(entry.name).clone();
  }
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
