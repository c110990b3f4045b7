#include "plan/bindings.hpp"

#include "seedbed/error.hpp"

namespace seedbed::plan {
namespace {

MethodKind kind_of(const std::string& name) {
  const auto kind = method_kind_from(name);
  if (!kind) throw ContractError("study", "a resolved method names its kind", "one of the six kinds", "`" + name + "`");
  return *kind;
}

template <typename T>
std::vector<T> list_from(const Json& json) {
  return json.get<std::vector<T>>();
}

ParameterValue value_from(const Json& json, ParameterType type) {
  switch (type) {
    case ParameterType::boolean:
      return json.get<bool>();
    case ParameterType::integer:
      return json.get<std::int64_t>();
    case ParameterType::number:
      return json.get<double>();
    case ParameterType::text:
    case ParameterType::file:
      return json.get<std::string>();
    case ParameterType::integers:
      return list_from<std::int64_t>(json);
    case ParameterType::numbers:
      return list_from<double>(json);
    case ParameterType::texts:
      return list_from<std::string>(json);
  }
  throw ContractError("plan", "parameter types are declared ones", "a declared type", "another");
}

}  // namespace

ParameterValues parameter_values(const protocol::MethodBinding& binding, const MethodManifest& manifest) {
  ParameterValues values;
  for (const ParameterSpec& spec : manifest.parameters) {
    if (!binding.parameters.contains(spec.name)) {
      throw ContractError("study", "a resolved method has every parameter", "`" + spec.name + "`", "none");
    }
    try {
      values[spec.name] = value_from(binding.parameters.at(spec.name), spec.type);
    } catch (const Json::exception& error) {
      throw ContractError("study", "a resolved parameter has its declared type",
                          std::string(name_of(spec.type)) + " for `" + spec.name + "`", error.what());
    }
  }
  return values;
}

protocol::MethodBinding Bindings::bind(const Json& method) {
  protocol::MethodBinding binding;
  binding.kind = method.at("kind").get<std::string>();
  binding.id = method.at("method").get<std::string>();
  const manifest::FoundMethod found = catalogue_.find(kind_of(binding.kind), binding.id);
  binding.revision = found.method->revision;
  binding.library = found.file->path.string();
  binding.library_digest = digests_.file(binding.library);
  binding.parameters = method.at("parameters");
  binding.files = method.value("files", std::map<std::string, std::string>{});
  binding.input_nodes = method.value("input_nodes", std::map<std::string, std::string>{});
  binding.strict = method.value("strict", true);
  const Json uses = method.value("uses", Json::object());
  for (const auto& [slot, used] : uses.items()) binding.uses[slot] = bind(used);
  libraries_[binding.library_digest] = Json{{"name", found.file->manifest->name},
                                            {"version", found.file->manifest->version},
                                            {"vendor", found.file->manifest->vendor},
                                            {"source_revision", found.file->manifest->source_revision},
                                            {"path", binding.library},
                                            {"digest", binding.library_digest}};
  return binding;
}

Json Bindings::key_part(const protocol::MethodBinding& binding, bool library_bytes) {
  Json part{{"kind", binding.kind},
            {"id", binding.id},
            {"revision", binding.revision},
            {"parameters", binding.parameters},
            {"strict", binding.strict}};
  // A file parameter's path is not content: its digest stands for it.
  for (const ParameterSpec& spec : manifest_of(binding).parameters) {
    if (spec.type == ParameterType::file) part["parameters"].erase(spec.name);
  }
  for (const auto& [name, path] : binding.files) part["files"][name] = digests_.file(path);
  for (const auto& [slot, used] : binding.uses) part["uses"][slot] = key_part(used, library_bytes);
  if (library_bytes) part["library"] = binding.library_digest;
  return part;
}

const MethodManifest& Bindings::manifest_of(const protocol::MethodBinding& binding) const {
  return *catalogue_.find(kind_of(binding.kind), binding.id).method;
}

bool Bindings::has_trait(const protocol::MethodBinding& binding, std::string_view trait) const {
  const MethodManifest& manifest = manifest_of(binding);
  if (manifest.has_trait(trait, parameter_values(binding, manifest))) return true;
  if (trait != "random") return false;
  for (const auto& [slot, used] : binding.uses) {
    if (has_trait(used, trait)) return true;
  }
  return false;
}

std::vector<Json> Bindings::libraries() const {
  std::vector<Json> facts;
  for (const auto& [digest, library] : libraries_) facts.push_back(library);
  return facts;
}

}  // namespace seedbed::plan
