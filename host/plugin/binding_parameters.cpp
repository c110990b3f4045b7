#include "plugin/binding_parameters.hpp"

#include "manifest/manifest_json.hpp"
#include "seedbed/error.hpp"

namespace seedbed::plugin {
namespace {

ParameterValue value_of(const protocol::MethodBinding& binding, const ParameterSpec& spec) {
  if (spec.type == ParameterType::file) {
    const auto file = binding.files.find(spec.name);
    return file == binding.files.end() ? std::string() : file->second;
  }
  if (!binding.parameters.contains(spec.name)) {
    throw ContractError("study", "a resolved method has every parameter", "`" + spec.name + "` of `" + binding.id + "`",
                        "none");
  }
  try {
    return manifest::parameter_value_from_json(spec.type, binding.parameters.at(spec.name).dump());
  } catch (const UserError& error) {
    throw ContractError("study", "a resolved parameter has its declared type",
                        std::string(name_of(spec.type)) + " for `" + spec.name + "` of `" + binding.id + "`",
                        binding.parameters.at(spec.name).dump());
  }
}

}  // namespace

ParameterValues binding_parameters(const protocol::MethodBinding& binding, const MethodManifest& manifest) {
  ParameterValues values;
  for (const ParameterSpec& spec : manifest.parameters) {
    ParameterValue value = value_of(binding, spec);
    if (spec.type != ParameterType::file) {
      if (const auto reason = why_illegal(spec, value)) {
        throw ContractError("study", "a resolved parameter is in range", "`" + spec.name + "` of `" + binding.id + "`",
                            *reason);
      }
    }
    values.emplace(spec.name, std::move(value));
  }
  for (const auto& [name, ignored] : binding.parameters.items()) {
    if (manifest.find_parameter(name) == nullptr) {
      throw ContractError("study", "a resolved method has declared parameters only", "no `" + name + "`",
                          "`" + name + "` of `" + binding.id + "`");
    }
  }
  return values;
}

}  // namespace seedbed::plugin
