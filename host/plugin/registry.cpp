#include "plugin/registry.hpp"

#include "manifest/elf_sections.hpp"
#include "manifest/host_fingerprint.hpp"
#include "manifest/manifest_json.hpp"
#include "plugin/library.hpp"
#include "plugin/staging_registrar.hpp"
#include "plugin/state_guard.hpp"
#include "seedbed/error.hpp"

namespace seedbed::plugin {
namespace {

namespace fs = std::filesystem;

void refuse_other_fingerprint(const Fingerprint& plugin, const std::string& name, const fs::path& library) {
  const auto differences = fingerprint_differences(plugin, manifest::host_fingerprint());
  if (differences.empty()) return;
  std::string list;
  for (const FingerprintDifference& difference : differences) {
    list += (list.empty() ? "" : "; ") + difference.field + " is `" + difference.plugin_value +
            "` in the plugin and `" + difference.host_value + "` in the host";
  }
  throw UserError(library.string(), "The plugin was built for another host: " + list + ".",
                  "rebuild it with this host's SDK: `cmake --build BUILD --target seedbed_" + name + "`");
}

PluginManifest checked_manifest(const fs::path& library) {
  const manifest::PluginSections sections = manifest::read_plugin_sections(library);
  PluginManifest found = manifest::plugin_manifest_from_json(sections.manifest, library.string());
  refuse_other_fingerprint(manifest::fingerprint_from_json(sections.fingerprint, library.string()), found.name,
                           library);
  const std::vector<ManifestProblem> problems = manifest_problems(found);
  if (!problems.empty()) {
    throw UserError(library.string(), "The plugin's manifest is not legal: " + problems.front().sentence,
                    "seedbed-manifest check lists all problems");
  }
  return found;
}

StagingRegistrar::Factories registered_by(const SeedbedPluginDescriptor& door, const PluginManifest& manifest) {
  StagingRegistrar registrar(manifest);
  const auto threw = [&](const std::string& what) {
    return ContractError(manifest.name, "registration does not throw", "a return", what);
  };
  try {
    door.register_all(&registrar);
  } catch (const ContractError&) {
    throw;
  } catch (const std::exception& error) {
    throw threw(std::string("the exception `") + error.what() + "`");
  } catch (...) {
    throw threw("an exception that is no std::exception");
  }
  return registrar.take();
}

}  // namespace

void Registry::refuse_duplicates(const PluginManifest& manifest, const fs::path& library) const {
  for (const MethodManifest& method : manifest.methods) {
    const auto found = methods_.find({method.kind, method.id});
    if (found == methods_.end()) continue;
    throw UserError(library.string(),
                    "Two libraries bring the " + std::string(name_of(method.kind)) + " `" + method.id +
                        "`: this one and `" + found->second.library.string() + "`.",
                    "leave one of them out of the plugin path");
  }
}

void Registry::load(const fs::path& library) {
  std::error_code error;
  const fs::path path = fs::canonical(library, error);
  if (error) throw UserError(library.string(), "There is no such plugin.", "check the plugin path");
  if (loaded_.contains(path)) return;
  PluginManifest manifest = checked_manifest(path);
  refuse_duplicates(manifest, path);
  StagingRegistrar::Factories factories;
  {
    // An -Ofast library changes the floating-point mode while it is mapped.
    StateGuard guard;
    factories = registered_by(open_library(path), manifest);
    for (const std::string& change : guard.restore()) warnings_.push_back("loading `" + manifest.name + "`: " + change);
  }
  for (MethodManifest& method : manifest.methods) {
    const Key key{method.kind, method.id};
    methods_.emplace(key, RegisteredMethod{std::move(method), path, std::move(factories.at(key))});
  }
  loaded_.insert(path);
}

const RegisteredMethod& Registry::find(MethodKind kind, std::string_view id) const {
  const auto found = methods_.find({kind, std::string(id)});
  if (found != methods_.end()) return found->second;
  std::vector<std::string> known;
  for (const auto& [key, method] : methods_) {
    if (key.first == kind) known.push_back(key.second);
  }
  const std::string nearest = nearest_name(id, known);
  throw UserError("", "No loaded plugin has the " + std::string(name_of(kind)) + " `" + std::string(id) + "`.",
                  nearest.empty() ? "" : "did you mean `" + nearest + "`?");
}

std::vector<const RegisteredMethod*> Registry::methods() const {
  std::vector<const RegisteredMethod*> all;
  for (const auto& [key, method] : methods_) all.push_back(&method);
  return all;
}

}  // namespace seedbed::plugin
