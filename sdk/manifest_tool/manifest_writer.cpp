#include "manifest_tool/manifest_writer.hpp"

#include <nlohmann/json.hpp>

#include "seedbed/error.hpp"

namespace seedbed::manifest_tool {
namespace {

// Order as written: a reader of the embedded text finds the id first.
using Json = nlohmann::ordered_json;

Json json_of(const ParameterValue& value) {
  return std::visit([](const auto& held) { return Json(held); }, value);
}

Json json_of(const ParameterValues& values) {
  Json object = Json::object();
  for (const auto& [name, value] : values) object[name] = json_of(value);
  return object;
}

Json json_of(const MapType& type) {
  return {{"form", type.form}, {"background", type.background}, {"value", type.value}};
}

Json json_of(const UsesSlot& slot);
Json json_of(const ParameterSpec& spec);
Json json_of(const ConditionalTraits& condition);
Json json_of(const Preset& preset);
Json json_of(const MethodManifest& method);

template <typename T>
Json list_of(const std::vector<T>& all) {
  Json list = Json::array();
  for (const T& each : all) list.push_back(json_of(each));
  return list;
}

Json json_of(const UsesSlot& slot) {
  return {{"name", slot.name},
          {"kind", name_of(slot.kind)},
          {"default_method", slot.default_method},
          {"summary", slot.summary}};
}

Json json_of(const ParameterSpec& spec) {
  Json object{{"name", spec.name},       {"type", name_of(spec.type)}, {"unit", spec.unit},
              {"summary", spec.summary}, {"required", spec.required},  {"default", json_of(spec.default_value)}};
  if (spec.minimum) object["minimum"] = *spec.minimum;
  if (spec.maximum) object["maximum"] = *spec.maximum;
  if (!spec.choices.empty()) object["choices"] = spec.choices;
  if (spec.minimum_size) object["minimum_size"] = *spec.minimum_size;
  return object;
}

Json json_of(const ConditionalTraits& condition) {
  return {{"parameter", condition.parameter},
          {"values", list_of(condition.values)},
          {"add_traits", condition.add_traits},
          {"remove_traits", condition.remove_traits}};
}

Json host_tables_of(const std::map<std::string, std::string, std::less<>>& tables) {
  Json object = Json::object();
  for (const auto& [name, text] : tables) object[name] = Json::parse(text);
  return object;
}

Json json_of(const Preset& preset) {
  return {{"name", preset.name},
          {"summary", preset.summary},
          {"variant", preset.variant},
          {"parameters", json_of(preset.parameters)},
          {"host_tables", host_tables_of(preset.host_tables)}};
}

Json json_of(const Supervision& supervision) {
  return {{"labels", supervision.labels},
          {"side_inputs", supervision.side_inputs},
          {"pretraining", supervision.pretraining}};
}

Json json_of(const MethodManifest& method) {
  return {{"id", method.id},
          {"kind", name_of(method.kind)},
          {"revision", method.revision},
          {"summary", method.summary},
          {"citation", method.citation},
          {"licence", method.licence},
          {"supervision", json_of(method.supervision)},
          {"traits", method.traits},
          {"needs", method.needs},
          {"provides", method.provides},
          {"backbone_defaults", json_of(method.backbone_defaults)},
          {"takes", json_of(method.takes)},
          {"gives", json_of(method.gives)},
          {"bytes_per_image", method.bytes_per_image},
          {"uses", list_of(method.uses)},
          {"parameters", list_of(method.parameters)},
          {"when", list_of(method.when)},
          {"presets", list_of(method.presets)},
          {"host_defaults", host_tables_of(method.host_defaults)}};
}

}  // namespace

std::string manifest_json(const PluginManifest& manifest) {
  const Json object{{"schema", manifest.schema},
                    {"name", manifest.name},
                    {"version", manifest.version},
                    {"vendor", manifest.vendor},
                    {"source_revision", manifest.source_revision},
                    {"methods", list_of(manifest.methods)}};
  return object.dump(-1, ' ', true);
}

std::string compact_fingerprint(std::string_view json, const std::string& file_name) {
  const Json object = Json::parse(json, nullptr, false);
  if (!object.is_object()) throw UserError(file_name, "the fingerprint is no JSON object");
  for (const FingerprintField& field : fingerprint_fields()) {
    const auto found = object.find(field.name);
    if (found == object.end() || !found->is_string()) {
      throw UserError(file_name, "the fingerprint lacks a text for `" + std::string(field.name) + "`");
    }
  }
  return object.dump(-1, ' ', true);
}

}  // namespace seedbed::manifest_tool
