#include <iostream>
#include <set>

#include <fmt/format.h>

#include "cli/text_table.hpp"
#include "cli/verbs.hpp"
#include "manifest/manifest_json.hpp"
#include "seedbed/error.hpp"

namespace seedbed::cli {
namespace {

using Json = nlohmann::ordered_json;

Json differences_json(const manifest::PluginFile& file) {
  Json list = Json::array();
  for (const FingerprintDifference& difference : file.differences) {
    list.push_back({{"field", difference.field}, {"plugin", difference.plugin_value}, {"host", difference.host_value}});
  }
  return list;
}

Json file_json(const manifest::PluginFile& file) {
  Json json{{"path", file.path.string()}, {"found_by", name_of(file.origin)},      {"taken", file.taken},
            {"reason", file.reason},      {"differences", differences_json(file)}, {"manifest", nullptr}};
  if (!file.manifest_json.empty()) json["manifest"] = Json::parse(file.manifest_json, nullptr, false);
  return json;
}

std::string joined(const std::set<std::string>& texts) {
  std::string text;
  for (const std::string& item : texts) text += (text.empty() ? "" : ", ") + item;
  return text.empty() ? "-" : text;
}

void list_plugins(const Session& session) {
  const manifest::Catalogue catalogue = session.catalogue();
  if (session.json) {
    Json files = Json::array();
    for (const manifest::PluginFile& file : catalogue.files()) files.push_back(file_json(file));
    return print_json({{"files", files}});
  }
  std::vector<std::vector<std::string>> rows{{"kind", "id", "revision", "summary", "library"}};
  for (const manifest::FoundMethod& found : catalogue.methods()) {
    rows.push_back({std::string(name_of(found.method->kind)), found.method->id, std::to_string(found.method->revision),
                    found.method->summary, found.file->path.filename().string()});
  }
  std::cout << text_table(rows);
  for (const manifest::PluginFile& file : catalogue.files()) {
    if (!file.taken) std::cout << fmt::format("\nnot taken: {}\n  {}\n", file.path.string(), file.reason);
  }
}

void print_parameters(const MethodManifest& method) {
  if (method.parameters.empty()) return;
  std::vector<std::vector<std::string>> rows{{"parameter", "type", "default", "accepts", "meaning"}};
  for (const ParameterSpec& spec : method.parameters) {
    rows.push_back({spec.name, std::string(name_of(spec.type)),
                    spec.required ? "(needed)" : to_toml(spec.default_value), accepted_range(spec),
                    spec.summary + (spec.unit.empty() ? "" : " [" + spec.unit + "]")});
  }
  std::cout << '\n' << text_table(rows);
}

void print_presets(const MethodManifest& method) {
  for (const Preset& preset : method.presets) {
    std::cout << fmt::format("\npreset {}{}: {}\n", preset.name,
                             preset.variant.empty() ? "" : " (" + preset.variant + ")", preset.summary);
    for (const auto& [name, value] : preset.parameters) std::cout << fmt::format("  {} = {}\n", name, to_toml(value));
    for (const auto& [table, values] : preset.host_tables) std::cout << fmt::format("  {} = {}\n", table, values);
  }
}

void print_method(const manifest::FoundMethod& found) {
  const MethodManifest& method = *found.method;
  std::cout << fmt::format("{} {} (revision {})\n{}\n\n", name_of(method.kind), method.id, method.revision,
                           method.summary);
  std::vector<std::vector<std::string>> facts{
      {"library", found.file->path.string()},
      {"version", found.file->manifest->version + ", source " + found.file->manifest->source_revision},
      {"citation", method.citation.empty() ? "-" : method.citation},
      {"licence", method.licence},
      {"shown labels", joined(method.supervision.labels)},
      {"side inputs", joined(method.supervision.side_inputs)},
      {"traits", joined(method.traits)}};
  for (const UsesSlot& slot : method.uses) {
    facts.push_back(
        {"uses " + slot.name, fmt::format("a {}, by default {}: {}", name_of(slot.kind),
                                          slot.default_method.empty() ? "none" : slot.default_method, slot.summary)});
  }
  std::cout << text_table(facts);
  print_parameters(method);
  print_presets(method);
}

// An id alone may stand for methods of several kinds; "refiner:pamr" names one.
void describe(const Session& session, const std::string& id) {
  const manifest::Catalogue catalogue = session.catalogue();
  const auto colon = id.find(':');
  const std::string plain = colon == std::string::npos ? id : id.substr(colon + 1);
  std::vector<manifest::FoundMethod> found;
  std::vector<std::string> known;
  for (const manifest::FoundMethod& method : catalogue.methods()) {
    known.push_back(method.method->id);
    const bool kind_fits = colon == std::string::npos || name_of(method.method->kind) == id.substr(0, colon);
    if (method.method->id == plain && kind_fits) found.push_back(method);
  }
  if (found.empty()) {
    const std::string nearest = nearest_name(plain, known);
    throw UserError("plugins info", "No plugin brings this method: `" + id + "`.",
                    nearest.empty() ? "`seedbed plugins list` shows them all" : "did you mean `" + nearest + "`?");
  }
  for (const manifest::FoundMethod& method : found) {
    if (session.json) {
      print_json({{"path", method.file->path.string()},
                  {"method", Json::parse(manifest::method_json(method.file->manifest_json, method.method->kind,
                                                               method.method->id))}});
    } else {
      print_method(method);
    }
  }
}

// One file, whatever it is: what it declares and why it would or would not be taken.
void scan_file(Session& session, const std::filesystem::path& path) {
  if (!std::filesystem::exists(path)) {
    throw UserError(path.string(), "There is no such file.", "give the path of a plugin's shared library");
  }
  const auto catalogue = manifest::Catalogue::scan({{path, manifest::SearchOrigin::plugin_path}});
  for (const manifest::PluginFile& file : catalogue.files()) {
    if (!file.taken) session.status = kExitUserError;
    if (session.json) {
      print_json(file_json(file));
      continue;
    }
    std::cout << fmt::format("{}: {}\n", file.path.string(), file.taken ? "would be taken" : "would not be taken");
    if (!file.taken) std::cout << "  " << file.reason << '\n';
    if (!file.manifest) continue;
    for (const MethodManifest& method : file.manifest->methods) {
      std::cout << fmt::format("  {} {} (revision {}): {}\n", name_of(method.kind), method.id, method.revision,
                               method.summary);
    }
  }
}

}  // namespace

void add_plugins_verb(CLI::App& app, const std::shared_ptr<Session>& session) {
  CLI::App* verb = app.add_subcommand("plugins", "Show what plugins bring, without running their code");
  verb->require_subcommand(1);
  verb->fallthrough();
  CLI::App* list = verb->add_subcommand("list", "Every method, and every file that was not taken with the reason");
  list->fallthrough();
  list->callback([session] { list_plugins(*session); });

  CLI::App* info = verb->add_subcommand("info", "One method: parameters, presets, what it is shown");
  info->fallthrough();
  const auto id = std::make_shared<std::string>();
  info->add_option("id", *id, "Method id, or kind:id")->required();
  info->callback([session, id] { describe(*session, *id); });

  CLI::App* scan = verb->add_subcommand("scan", "One library file: what it declares, and whether it would be taken");
  scan->fallthrough();
  const auto path = std::make_shared<std::filesystem::path>();
  scan->add_option("file", *path, "Shared library")->required();
  scan->callback([session, path] { scan_file(*session, *path); });
}

}  // namespace seedbed::cli
