#include "study/resolve_method.hpp"

#include <algorithm>
#include <utility>

#include "study/compose.hpp"
#include "study/host_tables.hpp"

namespace seedbed::study {
namespace {

namespace fs = std::filesystem;

// Methods that use methods that use methods: more is a circle of defaults.
constexpr int kMaximumDepth = 8;

// Manifests come after files and flags in the order of errors.
constexpr std::size_t kManifestOrder = 2'000'000;

const ParameterSpec& method_key(std::string_view name) {
  const auto& keys = host_table("method").keys;
  return *std::ranges::find(keys, name, &ParameterSpec::name);
}

std::string kind_in_words(MethodKind kind) {
  std::string words(name_of(kind));
  std::ranges::replace(words, '_', ' ');
  return words;
}

Table table_from_manifest(const std::string& json_text, const Place& place) {
  const Json json = Json::parse(json_text, nullptr, false);
  if (!json.is_object()) {
    throw ContractError(place.text(), "a host table of a manifest is a JSON object", "an object",
                        "`" + json_text + "`");
  }
  return std::move(*node_from_json(json, place).table());
}

using HostTables = decltype(Preset::host_tables);

// The first preset of this name that fills the host table, and whose it is.
std::pair<const MethodChoice*, const Preset*> preset_with_table(const std::vector<const MethodChoice*>& choices,
                                                                std::string_view table, std::string_view preset) {
  for (const MethodChoice* choice : choices) {
    const Preset* found = choice->manifest->find_preset(preset);
    if (found && found->host_tables.contains(table)) return {choice, found};
  }
  return {nullptr, nullptr};
}

std::string preset_hint(const std::vector<const MethodChoice*>& choices, std::string_view table,
                        std::string_view preset) {
  std::vector<std::string> names;
  for (const MethodChoice* choice : choices) {
    for (const Preset& each : choice->manifest->presets) {
      if (each.host_tables.contains(table)) names.push_back(each.name);
    }
  }
  return names.empty() ? "`" + choices.front()->manifest->id + "` has none" : hint_for(preset, names);
}

}  // namespace

bool MethodChoice::may_be_fitted() const {
  const auto adds_fit = [](const ConditionalTraits& when) {
    return when.add_traits.contains("trains") || when.add_traits.contains("collects");
  };
  return manifest->traits.contains("trains") || manifest->traits.contains("collects") ||
         std::ranges::any_of(manifest->when, adds_fit);
}

Place manifest_place(const MethodChoice& choice, const std::string& preset) {
  std::string name = "manifest of `" + choice.manifest->id + "`";
  if (!preset.empty()) name += ", preset `" + preset + "`";
  return {std::make_shared<Source>(Source{name, choice.library_folder, kManifestOrder, false}), 0, 0};
}

std::optional<MethodChoice> MethodReader::read(TableReader& table, MethodKind kind,
                                               const ParameterValues& forced) const {
  const auto found = find_method(table, kind);
  if (!found) return std::nullopt;
  MethodChoice choice;
  choice.manifest = found->method;
  choice.place = table.place_of("method");
  choice.library_folder = fs::absolute(found->file->path).parent_path();
  choice.preset = find_preset(table, *found->method);
  choice.parameters = read_parameters(table, choice, forced);
  const Json files = read_files(table, choice);
  const auto strict = table.value(method_key("strict"));
  choice.json = {{"kind", name_of(kind)},
                 {"method", choice.manifest->id},
                 {"preset", choice.preset ? choice.preset->name : ""},
                 {"parameters", filled(choice.manifest->parameters, choice.parameters)},
                 {"files", files},
                 {"uses", read_uses(table, choice)},
                 {"strict", to_json(strict.value_or(method_key("strict").default_value))}};
  return choice;
}

std::optional<MethodChoice> MethodReader::read_alone(const Node& node, std::string path, MethodKind kind) const {
  if (!node.table()) {
    findings_.add(node.place, "a method is named in a table; `" + path + "` is " + std::string(node.phrase()),
                  "accepted: `{ method = \"ID\" }`");
    return std::nullopt;
  }
  TableReader table(*node.table(), node.place, std::move(path), findings_);
  auto choice = read(table, kind);
  if (choice) table.finish();
  return choice;
}

std::optional<MethodChoice> MethodReader::with_defaults(const std::string& id, const Place& place, std::string path,
                                                        MethodKind kind) const {
  return read_alone(Node{Table{Member{"method", place, Node{id, place}}}, place}, std::move(path), kind);
}

std::optional<manifest::FoundMethod> MethodReader::find_method(TableReader& table, MethodKind kind) const {
  ParameterSpec spec;
  spec.name = "method";
  spec.type = ParameterType::text;
  spec.summary = "The id of a " + kind_in_words(kind) + ".";
  if (!table.has("method")) {
    std::vector<std::string> ids;
    for (const auto& each : catalogue_.methods(kind)) ids.push_back(each.method->id);
    findings_.add(table.place(), "`" + table.path() + "` names no method",
                  "accepted: `method = ID`, one of " + listed(ids));
    return std::nullopt;
  }
  const auto id = table.value(spec);
  if (!id) return std::nullopt;
  try {
    return catalogue_.find(kind, std::get<std::string>(*id));
  } catch (const UserError& error) {
    findings_.add(table.place_of("method"), error.message(), error.hint());
    return std::nullopt;
  }
}

const Preset* MethodReader::find_preset(TableReader& table, const MethodManifest& method) const {
  const auto name = table.value(method_key("preset"));
  if (!name || std::get<std::string>(*name).empty()) return nullptr;
  const std::string& wanted = std::get<std::string>(*name);
  const Preset* preset = method.find_preset(wanted);
  if (!preset) {
    findings_.add(table.place_of("preset"), "`" + method.id + "` has no preset `" + wanted + "`",
                  method.presets.empty() ? "it has none" : hint_for(wanted, names_of(method.presets)));
  }
  return preset;
}

ParameterValues MethodReader::read_parameters(TableReader& table, const MethodChoice& choice,
                                              const ParameterValues& forced) const {
  ParameterValues values;
  for (const ParameterSpec& spec : choice.manifest->parameters) values[spec.name] = spec.default_value;
  if (choice.preset) {
    for (const auto& [name, value] : choice.preset->parameters) {
      if (const ParameterSpec* spec = choice.manifest->find_parameter(name)) values[name] = coerced(*spec, value);
    }
  }
  for (auto& [name, value] : table.values(choice.manifest->parameters)) values[name] = value;
  for (const auto& [name, value] : forced) {
    const ParameterSpec* spec = choice.manifest->find_parameter(name);
    if (!spec) {
      findings_.add(
          choice.place,
          "`" + choice.manifest->id + "` cannot serve this seed generator: it has no parameter `" + name + "`",
          "another backbone");
    } else if (const ParameterValue needed = coerced(*spec, value); table.has(name) && values[name] != needed) {
      findings_.add(table.place_of(name), "the seed generator needs another `" + table.path_of(name) + "`",
                    "accepted: `" + seedbed::to_toml(needed) + "`");
    } else {
      values[name] = needed;
    }
  }
  return values;
}

std::string MethodReader::existing_file(const std::string& path, const Place& place) const {
  try {
    const fs::path file = absolute_path(path, place);
    std::error_code error;
    if (!allow_missing_files_ && !fs::is_regular_file(file, error)) {
      findings_.add(place, "this file does not exist: `" + file.string() + "`",
                    "`seedbed doctor` lists the files of a study");
    }
    return file.string();
  } catch (const UserError& unset_variable) {
    findings_.add(place, unset_variable);
    return path;
  }
}

// `weights` and the file parameters that were given; those stand in the parameters too, as absolute paths.
Json MethodReader::read_files(TableReader& table, MethodChoice& choice) const {
  Json files = Json::object();
  const auto weights = table.value(method_key("weights"));
  if (weights && std::get<std::string>(*weights).starts_with("@")) {
    findings_.add(table.place_of("weights"), "weights taken from a node are not available in this version",
                  "accepted: a file's path");
  } else if (weights && !std::get<std::string>(*weights).empty()) {
    files["weights"] = existing_file(std::get<std::string>(*weights), table.place_of("weights"));
  }
  for (const ParameterSpec& spec : choice.manifest->parameters) {
    if (spec.type != ParameterType::file) continue;
    auto& path = std::get<std::string>(choice.parameters[spec.name]);
    const bool given = table.has(spec.name);
    if (path.empty()) {
      if (spec.required && !given) {
        findings_.add(table.place(), "`" + choice.manifest->id + "` needs a file: `" + table.path_of(spec.name) + "`",
                      spec.summary);
      }
      continue;
    }
    path = existing_file(path, given ? table.place_of(spec.name) : manifest_place(choice));
    files[spec.name] = path;
  }
  return files;
}

Json MethodReader::read_uses(TableReader& table, const MethodChoice& choice) const {
  Json uses = Json::object();
  const Node* given = table.table("uses");
  if (choice.manifest->uses.empty() && !given) return uses;
  const std::string path = table.path_of("uses");
  const Table layers = layered_table({&choice}, "uses", given, findings_);
  TableReader slots(layers, given ? given->place : choice.place, path, findings_);
  if (++depth_ > kMaximumDepth) {
    findings_.add(choice.place, "methods use each other in a circle: `" + choice.manifest->id + "`",
                  "name other methods under `uses`");
    --depth_;
    return uses;
  }
  for (const UsesSlot& slot : choice.manifest->uses) {
    std::optional<MethodChoice> used;
    if (const Node* filled_slot = slots.node(slot.name)) {
      used = read_alone(*filled_slot, slots.path_of(slot.name), slot.kind);
    } else if (!slot.default_method.empty()) {
      used = with_defaults(slot.default_method, choice.place, slots.path_of(slot.name), slot.kind);
    }
    if (used) uses[slot.name] = used->json;
  }
  --depth_;
  slots.finish();
  return uses;
}

Table layered_table(const std::vector<const MethodChoice*>& choices, std::string_view name, const Node* given,
                    Findings& findings) {
  Table layers;
  const MethodChoice& first = *choices.front();
  const auto lay = [&](const HostTables& tables, const Place& place) {
    const auto found = tables.find(name);
    if (found != tables.end()) overlay_table(layers, table_from_manifest(found->second, place), name, findings);
  };
  lay(first.manifest->host_defaults, manifest_place(first));
  if (first.preset) lay(first.preset->host_tables, manifest_place(first, first.preset->name));
  if (!given || !given->table()) return layers;

  Table own = *given->table();
  if (const std::string preset = text_of(own, "preset"); name != "uses" && !preset.empty()) {
    const auto [choice, found] = preset_with_table(choices, name, preset);
    if (found) {
      lay(found->host_tables, manifest_place(*choice, preset));
    } else {
      findings.add(find(own, "preset")->place,
                   "no preset called `" + preset + "` has a `" + std::string(name) + "` table",
                   preset_hint(choices, name, preset));
    }
    std::erase_if(own, [](const Member& member) { return member.name == "preset"; });
  }
  overlay_table(layers, own, name, findings);
  return layers;
}

}  // namespace seedbed::study
