#include "manifest_tool/plugin_toml.hpp"

#include <algorithm>

#include "manifest_tool/toml_reader.hpp"

namespace seedbed::manifest_tool {
namespace {

MethodKind read_kind(TomlTable& table) {
  const std::string name = table.required_text("kind");
  const auto kind = method_kind_from(name);
  if (!kind && table.has("kind")) {
    std::vector<std::string> names;
    std::string hint;
    for (const MethodKind each : all_method_kinds()) {
      names.emplace_back(name_of(each));
      hint += (hint.empty() ? "accepted: `" : ", `") + names.back() + "`";
    }
    const std::string nearest = nearest_name(name, names);
    table.complain("kind", "unknown kind `" + name + "`",
                   nearest.empty() ? hint : hint + " (nearest: `" + nearest + "`)");
  }
  return kind.value_or(MethodKind::refiner);
}

std::optional<ParameterType> read_type(TomlTable& table) {
  const std::string name = table.required_text("type");
  const auto type = parameter_type_from(name);
  if (!type && table.has("type")) {
    table.complain("type", "unknown parameter type `" + name + "`",
                   "accepted: `boolean`, `integer`, `number`, `text`, `integers`, `numbers`, `texts`, `file`");
  }
  return type;
}

std::optional<ParameterSpec> read_parameter(const std::string& name, TomlTable& table) {
  ParameterSpec spec;
  spec.name = name;
  const auto type = read_type(table);
  spec.type = type.value_or(ParameterType::text);
  spec.unit = table.text("unit");
  spec.summary = table.text("summary");
  spec.minimum = table.number("minimum");
  spec.maximum = table.number("maximum");
  spec.choices = table.texts("choices");
  spec.minimum_size = table.integer("minimum_size");
  spec.required = table.boolean("required", false);
  const auto default_value = table.value("default");
  if (spec.minimum_size.value_or(0) < 0) {
    table.complain("minimum_size", "minimum_size is negative", "accepted: 0 or more");
  }
  if (spec.required) {
    if (table.has("default")) table.complain("default", "a required parameter has no default: `" + name + "`");
    spec.default_value = std::string();
  } else if (!table.has("default")) {
    table.complain("", table.name() + " lacks `default`",
                   "every parameter has one, so that a method runs without settings");
    return std::nullopt;
  }
  if (default_value) spec.default_value = coerced(spec, *default_value);
  // What follows from an unreadable type or value is not worth a second complaint.
  if (!type || (!spec.required && !default_value)) return std::nullopt;
  return spec;
}

MapType read_map_type(TomlTable& method, std::string_view key) {
  MapType type;
  auto table = method.table(key);
  if (!table) return type;
  type.form = table->text("form", type.form);
  type.background = table->text("background", type.background);
  type.value = table->text("value", type.value);
  table->finish();
  return type;
}

Supervision read_supervision(TomlTable& method) {
  Supervision supervision;
  auto table = method.table("supervision");
  if (!table) {
    if (!method.has("supervision")) {
      method.complain(
          "", method.name() + " lacks `supervision`",
          "write what the method is shown, e.g. supervision = { labels = [\"image_labels\"] }; {} for nothing");
    }
    return supervision;
  }
  supervision.labels = table->text_set("labels");
  supervision.side_inputs = table->text_set("side_inputs");
  supervision.pretraining = table->text("pretraining");
  table->finish();
  return supervision;
}

using HostTables = std::map<std::string, std::string, std::less<>>;

HostTables read_host_tables(TomlTable& table) {
  HostTables tables;
  for (const std::string& name : host_table_names()) {
    if (auto json = table.json(name)) tables.emplace(name, *std::move(json));
  }
  return tables;
}

// Presets and conditions hold values of the method's parameters.
void coerce_all(ParameterValues& values, const MethodManifest& method) {
  for (auto& [name, value] : values) {
    if (const ParameterSpec* spec = method.find_parameter(name)) value = coerced(*spec, std::move(value));
  }
}

Preset read_preset(const std::string& name, TomlTable& table, const MethodManifest& method) {
  Preset preset;
  preset.name = name;
  preset.summary = table.text("summary");
  preset.variant = table.text("variant");
  if (auto parameters = table.table("parameters")) preset.parameters = parameters->all_values();
  coerce_all(preset.parameters, method);
  preset.host_tables = read_host_tables(table);
  return preset;
}

ConditionalTraits read_condition(TomlTable& table, const MethodManifest& method) {
  ConditionalTraits condition;
  condition.parameter = table.required_text("parameter");
  condition.values = table.values("values");
  if (const ParameterSpec* spec = method.find_parameter(condition.parameter)) {
    for (ParameterValue& value : condition.values) value = coerced(*spec, std::move(value));
  }
  condition.add_traits = table.text_set("add_traits");
  condition.remove_traits = table.text_set("remove_traits");
  return condition;
}

UsesSlot read_slot(const std::string& name, TomlTable& table) {
  UsesSlot slot;
  slot.name = name;
  slot.kind = read_kind(table);
  slot.default_method = table.text("default");
  slot.summary = table.text("summary");
  return slot;
}

MethodManifest read_method(TomlTable& table) {
  MethodManifest method;
  method.id = table.required_text("id");
  method.kind = read_kind(table);
  method.revision = table.integer("revision").value_or(1);
  method.summary = table.text("summary");
  method.citation = table.text("citation");
  method.licence = table.text("licence");
  method.supervision = read_supervision(table);
  method.traits = table.text_set("traits");
  method.needs = table.texts("needs");
  method.provides = table.texts("provides");
  method.takes = read_map_type(table, "takes");
  method.gives = read_map_type(table, "gives");
  method.bytes_per_image = table.integer("bytes_per_image").value_or(0);
  if (auto forced = table.table("backbone_defaults")) method.backbone_defaults = forced->all_values();
  table.each_table("parameters", [&](const std::string& name, TomlTable& below) {
    if (auto spec = read_parameter(name, below)) method.parameters.push_back(*std::move(spec));
  });
  table.each_table("uses",
                   [&](const std::string& name, TomlTable& below) { method.uses.push_back(read_slot(name, below)); });
  table.each_element("when", [&](TomlTable& below) {
    method.when.push_back(read_condition(below, method));
    below.finish();
  });
  table.each_table("presets", [&](const std::string& name, TomlTable& below) {
    method.presets.push_back(read_preset(name, below, method));
  });
  if (auto defaults = table.table("defaults")) {
    method.host_defaults = read_host_tables(*defaults);
    defaults->finish();
  }
  return method;
}

}  // namespace

PluginManifest plugin_manifest_from_toml(std::string_view toml, const std::string& file_name) {
  const toml::table root = parse_toml(toml, file_name);
  TomlErrors errors(file_name);
  TomlTable file(root, "", errors);
  PluginManifest manifest;
  manifest.schema = file.integer("schema").value_or(0);
  if (manifest.schema != 1) file.complain("schema", "the schema is missing or unknown", "accepted: schema = 1");
  if (auto plugin = file.table("plugin")) {
    manifest.name = plugin->required_text("name");
    manifest.version = plugin->required_text("version");
    manifest.vendor = plugin->text("vendor");
    plugin->finish();
  } else if (!file.has("plugin")) {
    file.complain("", "the file lacks the table [plugin]");
  }
  std::set<std::string> unread;  // tables with errors: what follows from these is not worth a second complaint
  if (errors.size() > 0) unread.insert("plugin");
  file.each_element("method", [&](TomlTable& table) {
    const std::size_t before = errors.size();
    manifest.methods.push_back(read_method(table));
    table.finish();
    if (errors.size() > before) unread.insert("method." + std::to_string(manifest.methods.size() - 1));
  });
  file.finish();
  for (const ManifestProblem& problem : manifest_problems(manifest)) {
    const std::string subject = problem.key.substr(0, problem.key.find('.', problem.key.find('.') + 1));
    const bool of_plugin = subject.starts_with("plugin");
    if (!unread.contains(of_plugin ? "plugin" : subject)) errors.add(region_of(root, problem.key), problem.sentence);
  }
  errors.throw_if_any();
  return manifest;
}

}  // namespace seedbed::manifest_tool
