#include "worker/weights_answers.hpp"

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "plugin/model_builder.hpp"
#include "plugin/weights_loading.hpp"
#include "seedbed/error.hpp"
#include "weights/element_types.hpp"
#include "weights/likely_names.hpp"
#include "weights/safetensors.hpp"
#include "weights/weights_file.hpp"

namespace seedbed::worker {
namespace {

using protocol::Json;

weights::WeightsFile open_file(const Json& request) {
  return weights::read_weights_file(request.at("file").get<std::string>(),
                                    {.set = request.value("set", ""), .widen = request.value("widen", false)});
}

Json found_json(const weights::WeightsFile& file) {
  Json other_sets = Json::array();
  for (const weights::OtherSet& other : file.other_sets) {
    other_sets.push_back({{"name", other.name}, {"tensors", other.num_tensors}});
  }
  return {{"format", name_of(file.format)},
          {"set", file.set},
          {"wrapper", file.wrapper},
          {"other_sets", other_sets},
          {"other_entries", file.other_entries}};
}

std::string type_name(const at::Tensor& tensor) {
  const auto name = weights::element_type_name(tensor.scalar_type());
  return name ? std::string(*name) : std::string(c10::toString(tensor.scalar_type()));
}

/// For a method that only has to come into being.
class SilentServices : public plugin::StageServices {
 public:
  c10::Device device() const override { return c10::kCPU; }
  void progress(std::int64_t, std::int64_t) override {}
  void log(LogLevel, std::string_view) override {}
  void losses(const std::map<std::string, double>&) override {}
  bool cancelled() const override { return false; }
};

// The names with their shapes, and beside each the one of `others` that it may be.
Json side_by_side(const std::vector<std::string>& names, const std::vector<std::string>& others,
                  const NamedTensors& tensors) {
  const std::vector<std::string> likely = weights::likely_names(names, others);
  Json list = Json::array();
  for (std::size_t i = 0; i < names.size(); ++i) {
    const auto tensor = tensors.find(names[i]);
    const Json shape = tensor == tensors.end() ? Json(nullptr) : Json(tensor->second.sizes().vec());
    list.push_back({{"name", names[i]}, {"shape", shape}, {"nearest", likely[i]}});
  }
  return list;
}

}  // namespace

Json weights_info(const Json& request, plugin::Registry&) {
  const weights::WeightsFile file = open_file(request);
  Json answer = found_json(file);
  answer["checksums"] = weights::check_checksums(request.at("file").get<std::string>());
  Json& tensors = answer["tensors"] = Json::array();
  for (const auto& [name, tensor] : file.tensors) {
    tensors.push_back({{"name", name}, {"dtype", type_name(tensor)}, {"shape", tensor.sizes().vec()}});
  }
  return answer;
}

Json weights_convert(const Json& request, plugin::Registry&) {
  const std::filesystem::path source = request.at("file").get<std::string>();
  const std::filesystem::path target = request.at("to").get<std::string>();
  std::error_code error;
  if (std::filesystem::equivalent(source, target, error)) {
    throw UserError(target.string(), "The new file would replace the one that it is made from.",
                    "give it another name");
  }
  const weights::WeightsFile file = open_file(request);
  for (const auto& [name, tensor] : file.tensors) {
    if (weights::element_type_name(tensor.scalar_type())) continue;
    throw UserError(source.string(),
                    "A tensor has a type that safetensors lacks: `" + name + "`, `" + type_name(tensor) + "`.");
  }
  weights::write_safetensors(target, file.tensors, {{"format", "pt"}, {"source", source.filename().string()}});
  Json answer = found_json(file);
  answer["tensors"] = file.tensors.size();
  answer["bytes"] = std::filesystem::file_size(target);
  return answer;
}

Json weights_check(const Json& request, plugin::Registry& registry) {
  const std::string name = request.at("file").get<std::string>();
  weights::WeightsFile file = open_file(request);
  NamedTensors tensors(file.tensors.begin(), file.tensors.end());
  tensors = plugin::backbone_part(tensors);
  SilentServices services;
  plugin::ModelBuilder builder(registry, services, {.class_names = {"object"}, .operation = "check"});
  const auto backbone = builder.backbone(request.at("backbone").get<protocol::MethodBinding>());
  const c10::NoGradGuard no_gradients;
  const StateReport report = backbone->load_weights(tensors);
  Json answer = found_json(file);
  answer["tensors"] = tensors.size();
  answer["missing"] = side_by_side(report.missing, report.extra, backbone->state());
  answer["extra"] = side_by_side(report.extra, report.missing, tensors);
  answer["misshapen"] = report.misshapen;
  answer["problem"] = "";
  try {
    plugin::load_backbone_weights(*backbone.method, tensors, true, name);
  } catch (const UserError& error) {
    answer["problem"] = error.message();
  }
  return answer;
}

}  // namespace seedbed::worker
