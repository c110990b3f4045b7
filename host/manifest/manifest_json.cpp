#include "manifest/manifest_json.hpp"

#include <set>
#include <utility>

#include <nlohmann/json.hpp>

#include "seedbed/error.hpp"

namespace seedbed::manifest {
namespace {

using Json = nlohmann::json;

// Writing nested JSON takes a stack frame a level, and the text comes from a stranger.
constexpr int kDeepestNesting = 64;

bool is_nested_too_deep(std::string_view text) {
  int depth = 0;
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted) {
      if (c == '\\') ++i;
      if (c == '"') quoted = false;
    } else if (c == '"') {
      quoted = true;
    } else if (c == '[' || c == '{') {
      if (++depth > kDeepestNesting) return true;
    } else if (c == ']' || c == '}') {
      --depth;
    }
  }
  return false;
}

// One JSON object; says where in the text something is not as it should be.
class Reader {
 public:
  Reader(const Json& object, const std::string& where, std::string path)
      : object_(object), where_(where), path_(std::move(path)) {
    require(object.is_object(), "", "an object");
  }

  bool has(const char* key) const { return object_.contains(key); }

  std::string text(const char* key) const {
    const Json& value = at(key);
    require(value.is_string(), key, "a text");
    return value.get<std::string>();
  }

  std::int64_t integer(const char* key) const {
    const Json& value = at(key);
    require(value.is_number_integer(), key, "an integer");
    return value.get<std::int64_t>();
  }

  bool boolean(const char* key) const {
    const Json& value = at(key);
    require(value.is_boolean(), key, "true or false");
    return value.get<bool>();
  }

  std::optional<double> optional_number(const char* key) const {
    if (!has(key)) return std::nullopt;
    require(at(key).is_number(), key, "a number");
    return at(key).get<double>();
  }

  std::optional<std::int64_t> optional_integer(const char* key) const {
    if (!has(key)) return std::nullopt;
    return integer(key);
  }

  std::vector<std::string> texts(const char* key) const {
    std::vector<std::string> result;
    for (const Json& element : list(key)) {
      require(element.is_string(), key, "a list of texts");
      result.push_back(element.get<std::string>());
    }
    return result;
  }

  std::set<std::string> text_set(const char* key) const {
    const auto all = texts(key);
    return {all.begin(), all.end()};
  }

  ParameterValue value(const char* key) const { return value_from(at(key), key); }

  std::vector<ParameterValue> values(const char* key) const {
    std::vector<ParameterValue> result;
    for (const Json& element : list(key)) result.push_back(value_from(element, key));
    return result;
  }

  ParameterValues named_values(const char* key) const {
    ParameterValues result;
    for (const auto& [name, element] : members(key)) result.emplace(name, value_from(element, key));
    return result;
  }

  std::map<std::string, std::string, std::less<>> tables(const char* key) const {
    std::map<std::string, std::string, std::less<>> result;
    for (const auto& [name, element] : members(key)) {
      require(element.is_object(), key, "an object of objects");
      result.emplace(name, element.dump());
    }
    return result;
  }

  Reader object(const char* key) const { return Reader(at(key), where_, path_ + "." + key); }

  std::vector<Reader> objects(const char* key) const {
    std::vector<Reader> result;
    for (const Json& element : list(key)) {
      result.emplace_back(element, where_, path_ + "." + key + "[" + std::to_string(result.size()) + "]");
    }
    return result;
  }

  template <typename T>
  T named(const char* key, std::optional<T> (*from)(std::string_view), const char* phrase) const {
    const auto found = from(text(key));
    require(found.has_value(), key, phrase);
    return *found;
  }

 private:
  void require(bool fine, std::string_view key, const std::string& expected) const {
    if (fine) return;
    const std::string place = key.empty() ? path_ : path_ + "." + std::string(key);
    throw UserError(where_, "the manifest cannot be read: `" + place + "` is not " + expected);
  }

  const Json& at(const char* key) const {
    const auto found = object_.find(key);
    if (found == object_.end()) throw UserError(where_, "the manifest lacks `" + path_ + "." + key + "`");
    return *found;
  }

  const Json& list(const char* key) const {
    require(at(key).is_array(), key, "a list");
    return at(key);
  }

  nlohmann::detail::iteration_proxy<Json::const_iterator> members(const char* key) const {
    require(at(key).is_object(), key, "an object");
    return at(key).items();
  }

  ParameterValue value_from(const Json& json, const char* key) const;

  const Json& object_;
  const std::string& where_;
  std::string path_;
};

template <typename T>
std::vector<T> list_of(const Json& json) {
  return json.get<std::vector<T>>();
}

bool all_are(const Json& list, bool (Json::*is)() const noexcept) {
  for (const Json& element : list) {
    if (!(element.*is)()) return false;
  }
  return true;
}

// nullopt for what no parameter can hold.
std::optional<ParameterValue> untyped_value(const Json& json) {
  if (json.is_boolean()) return json.get<bool>();
  if (json.is_number_integer()) return json.get<std::int64_t>();
  if (json.is_number()) return json.get<double>();
  if (json.is_string()) return json.get<std::string>();
  if (!json.is_array()) return std::nullopt;
  if (all_are(json, &Json::is_number_integer)) return list_of<std::int64_t>(json);
  if (all_are(json, &Json::is_number)) return list_of<double>(json);
  if (all_are(json, &Json::is_string)) return list_of<std::string>(json);
  return std::nullopt;
}

ParameterValue Reader::value_from(const Json& json, const char* key) const {
  auto value = untyped_value(json);
  require(value.has_value(), key, "a parameter's value");
  return *std::move(value);
}

Json parsed(std::string_view text, const std::string& where) {
  if (is_nested_too_deep(text)) throw UserError(where, "the JSON text is nested too deep");
  Json json = Json::parse(text, nullptr, false);
  if (json.is_discarded()) throw UserError(where, "the text is not valid JSON");
  return json;
}

Json json_of(const ParameterValue& value) {
  return std::visit([](const auto& held) { return Json(held); }, value);
}

MapType map_type_from(const Reader& json) { return {json.text("form"), json.text("background"), json.text("value")}; }

UsesSlot slot_from(const Reader& json) {
  return {json.text("name"), json.named("kind", method_kind_from, "a kind of method"), json.text("default_method"),
          json.text("summary")};
}

ParameterSpec parameter_from(const Reader& json) {
  ParameterSpec spec;
  spec.name = json.text("name");
  spec.type = json.named("type", parameter_type_from, "a type of parameter");
  spec.unit = json.text("unit");
  spec.summary = json.text("summary");
  spec.minimum = json.optional_number("minimum");
  spec.maximum = json.optional_number("maximum");
  if (json.has("choices")) spec.choices = json.texts("choices");
  spec.minimum_size = json.optional_integer("minimum_size");
  spec.required = json.boolean("required");
  spec.default_value = coerced(spec, json.value("default"));
  return spec;
}

void coerce_all(ParameterValues& values, const MethodManifest& method) {
  for (auto& [name, value] : values) {
    if (const ParameterSpec* spec = method.find_parameter(name)) value = coerced(*spec, std::move(value));
  }
}

ConditionalTraits condition_from(const Reader& json, const MethodManifest& method) {
  ConditionalTraits condition{json.text("parameter"), json.values("values"), json.text_set("add_traits"),
                              json.text_set("remove_traits")};
  if (const ParameterSpec* spec = method.find_parameter(condition.parameter)) {
    for (ParameterValue& value : condition.values) value = coerced(*spec, std::move(value));
  }
  return condition;
}

Preset preset_from(const Reader& json, const MethodManifest& method) {
  Preset preset{json.text("name"), json.text("summary"), json.text("variant"), json.named_values("parameters"),
                json.tables("host_tables")};
  coerce_all(preset.parameters, method);
  return preset;
}

MethodManifest method_from(const Reader& json) {
  MethodManifest method;
  method.id = json.text("id");
  method.kind = json.named("kind", method_kind_from, "a kind of method");
  method.revision = json.integer("revision");
  method.summary = json.text("summary");
  method.citation = json.text("citation");
  method.licence = json.text("licence");
  const Reader supervision = json.object("supervision");
  method.supervision = {supervision.text_set("labels"), supervision.text_set("side_inputs"),
                        supervision.text("pretraining")};
  method.traits = json.text_set("traits");
  method.needs = json.texts("needs");
  method.provides = json.texts("provides");
  method.backbone_defaults = json.named_values("backbone_defaults");
  method.takes = map_type_from(json.object("takes"));
  method.gives = map_type_from(json.object("gives"));
  method.bytes_per_image = json.integer("bytes_per_image");
  for (const Reader& slot : json.objects("uses")) method.uses.push_back(slot_from(slot));
  for (const Reader& spec : json.objects("parameters")) method.parameters.push_back(parameter_from(spec));
  for (const Reader& condition : json.objects("when")) method.when.push_back(condition_from(condition, method));
  for (const Reader& preset : json.objects("presets")) method.presets.push_back(preset_from(preset, method));
  method.host_defaults = json.tables("host_defaults");
  return method;
}

}  // namespace

PluginManifest plugin_manifest_from_json(std::string_view text, const std::string& where) {
  const Json root = parsed(text, where);
  const Reader json(root, where, "manifest");
  PluginManifest manifest;
  manifest.schema = json.integer("schema");
  if (manifest.schema < 1 || manifest.schema > kManifestSchema) {
    throw UserError(where, "the manifest's schema is `" + std::to_string(manifest.schema) + "`",
                    "accepted: up to " + std::to_string(kManifestSchema) + "; a newer Seedbed reads it");
  }
  manifest.name = json.text("name");
  manifest.version = json.text("version");
  manifest.vendor = json.text("vendor");
  manifest.source_revision = json.text("source_revision");
  for (const Reader& method : json.objects("methods")) manifest.methods.push_back(method_from(method));
  return manifest;
}

Fingerprint fingerprint_from_json(std::string_view text, const std::string& where) {
  const Json root = parsed(text, where);
  const Reader json(root, where, "fingerprint");
  Fingerprint fingerprint;
  for (const FingerprintField& field : fingerprint_fields()) fingerprint.*field.member = json.text(field.name);
  return fingerprint;
}

std::string method_json(std::string_view manifest_json, MethodKind kind, std::string_view id) {
  const Json root = parsed(manifest_json, "manifest");
  for (const Json& method : root.value("methods", Json::array())) {
    if (method.value("id", "") == id && method.value("kind", "") == name_of(kind)) return method.dump();
  }
  return {};
}

std::string to_json(const ParameterValue& value) { return json_of(value).dump(); }

ParameterValue parameter_value_from_json(ParameterType type, std::string_view text) {
  ParameterSpec spec;
  spec.type = type;
  const auto value = untyped_value(parsed(text, "parameter"));
  if (value) {
    ParameterValue typed = coerced(spec, *value);
    if (!why_illegal(spec, typed)) return typed;
  }
  throw UserError("", "a parameter's value has another type than `" + std::string(name_of(type)) + "`: `" +
                          std::string(text) + "`");
}

std::string to_json(const ParameterValues& values) {
  Json object = Json::object();
  for (const auto& [name, value] : values) object[name] = json_of(value);
  return object.dump();
}

}  // namespace seedbed::manifest
