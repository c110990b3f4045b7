#include <algorithm>
#include <array>
#include <set>
#include <string>
#include <utility>

#include "seedbed/error.hpp"
#include "seedbed/manifest.hpp"

namespace seedbed {
namespace {

using Names = std::vector<std::string>;

const Names kVariants{"released", "corrected", "paper"};
const Names kForms{"scores", "labels"};
const Names kLabelKinds{"image_labels", "masks", "boxes", "points", "scribbles", "text"};

// Parameters become fields of a C++ struct.
const Names kCppWords{
    "alignas",   "alignof",   "and",      "and_eq",   "asm",      "auto",    "bitand",    "bitor",     "bool",
    "break",     "case",      "catch",    "char",     "class",    "compl",   "concept",   "const",     "consteval",
    "constexpr", "constinit", "continue", "decltype", "default",  "delete",  "do",        "double",    "else",
    "enum",      "explicit",  "export",   "extern",   "false",    "float",   "for",       "friend",    "from",
    "goto",      "if",        "inline",   "int",      "long",     "mutable", "namespace", "new",       "noexcept",
    "not",       "not_eq",    "nullptr",  "operator", "or",       "or_eq",   "private",   "protected", "public",
    "register",  "requires",  "return",   "short",    "signed",   "sizeof",  "static",    "struct",    "switch",
    "template",  "this",      "throw",    "true",     "try",      "typedef", "typeid",    "typename",  "union",
    "unsigned",  "using",     "virtual",  "void",     "volatile", "while",   "xor",       "xor_eq"};

bool contains(const Names& names, std::string_view name) { return std::ranges::find(names, name) != names.end(); }

bool is_word(std::string_view name) { return is_valid_id(name) && name.find('.') == std::string_view::npos; }

std::string ticked(std::string_view text) { return "`" + std::string(text) + "`"; }

std::string accepted(std::string_view wrong, const Names& legal) {
  std::string text = "; accepted: ";
  for (const std::string& name : legal) text += (&name == &legal.front() ? "" : ", ") + ticked(name);
  const std::string nearest = nearest_name(wrong, legal);
  return nearest.empty() ? text : text + " (nearest: " + ticked(nearest) + ")";
}

bool is_one_line(std::string_view text) { return !text.empty() && text.find('\n') == std::string_view::npos; }

// Collects what is wrong below one method (or below the plugin itself).
class Findings {
 public:
  explicit Findings(std::vector<ManifestProblem>& all, std::string prefix = {}, std::string subject = {})
      : all_(all), prefix_(std::move(prefix)), subject_(std::move(subject)) {}

  void add(const std::string& key, const std::string& sentence) {
    all_.push_back({prefix_ + key, subject_ + sentence});
  }
  void require(bool fine, const std::string& key, const std::string& sentence) {
    if (!fine) add(key, sentence);
  }
  void require_known(const std::string& name, const Names& legal, const std::string& key, const std::string& what) {
    require(contains(legal, name), key, "unknown " + what + " " + ticked(name) + accepted(name, legal));
  }
  // Names that are used twice, as "plugin.toml" shows nothing of the first one.
  void require_new(std::set<std::string>& seen, const std::string& name, const std::string& key,
                   const std::string& what) {
    require(seen.insert(name).second, key, what + " " + ticked(name) + " is declared twice");
  }

 private:
  std::vector<ManifestProblem>& all_;
  std::string prefix_;
  std::string subject_;
};

void check_limits(const ParameterSpec& spec, const std::string& key, Findings& findings) {
  const bool numeric = spec.type == ParameterType::integer || spec.type == ParameterType::number ||
                       spec.type == ParameterType::integers || spec.type == ParameterType::numbers;
  const bool textual = spec.type == ParameterType::text || spec.type == ParameterType::texts;
  const bool list =
      spec.type == ParameterType::integers || spec.type == ParameterType::numbers || spec.type == ParameterType::texts;
  const std::string of_type = "; parameter " + ticked(spec.name) + " is of type " + ticked(name_of(spec.type));
  findings.require(numeric || !spec.minimum, key + ".minimum", "only numbers have a minimum" + of_type);
  findings.require(numeric || !spec.maximum, key + ".maximum", "only numbers have a maximum" + of_type);
  findings.require(textual || spec.choices.empty(), key + ".choices", "only texts have choices" + of_type);
  findings.require(list || !spec.minimum_size, key + ".minimum_size", "only lists have a minimum_size" + of_type);
  findings.require(spec.type == ParameterType::file || !spec.required, key + ".required",
                   "only a file may be required; every other parameter has a default" + of_type);
  findings.require(!spec.minimum || !spec.maximum || *spec.minimum <= *spec.maximum, key + ".minimum",
                   "the minimum of parameter " + ticked(spec.name) + " is above its maximum");
  std::set<std::string> seen;
  for (const std::string& choice : spec.choices) findings.require_new(seen, choice, key + ".choices", "choice");
}

void check_parameter(const ParameterSpec& spec, Findings& findings) {
  const std::string key = "parameters." + spec.name;
  findings.require(
      is_word(spec.name), key,
      "parameter " + ticked(spec.name) + " has an unusable name; accepted: a lower-case word of [a-z0-9_]");
  findings.require(!contains(reserved_parameter_names(), spec.name), key,
                   "parameter " + ticked(spec.name) + " has a name that belongs to the host; accepted: any other word");
  findings.require(!contains(kCppWords, spec.name), key,
                   "parameter " + ticked(spec.name) + " has a name that C++ reserves; accepted: any other word");
  findings.require(is_one_line(spec.summary), key + ".summary",
                   "parameter " + ticked(spec.name) + " needs a summary of one line");
  check_limits(spec, key, findings);
  // A required file has no default: the study gives it.
  if (spec.required) return;
  if (const auto why = why_illegal(spec, spec.default_value)) {
    findings.add(key + ".default", "the default of parameter " + ticked(spec.name) + " is not legal: " + *why);
  }
}

void check_map_type(const MapType& type, const std::string& key, const Names& backgrounds, const Names& values,
                    Findings& findings) {
  findings.require_known(type.form, kForms, key + ".form", "form");
  findings.require_known(type.background, backgrounds, key + ".background", "background");
  findings.require_known(type.value, values, key + ".value", "value");
}

void check_values(const MethodManifest& method, const ParameterValues& values, const std::string& key,
                  Findings& findings) {
  Names names;
  for (const ParameterSpec& spec : method.parameters) names.push_back(spec.name);
  for (const auto& [name, value] : values) {
    const ParameterSpec* spec = method.find_parameter(name);
    if (!spec) {
      findings.add(key + "." + name, "unknown parameter " + ticked(name) + accepted(name, names));
    } else if (const auto why = why_illegal(*spec, value)) {
      findings.add(key + "." + name, "the value of parameter " + ticked(name) + " is not legal: " + *why);
    }
  }
}

template <typename Tables>
void check_host_tables(const Tables& tables, const std::string& key, Findings& findings) {
  for (const auto& [name, json] : tables)
    findings.require_known(name, host_table_names(), key + "." + name, "host table");
}

void check_presets(const MethodManifest& method, Findings& findings) {
  std::set<std::string> seen;
  for (const Preset& preset : method.presets) {
    const std::string key = "presets." + preset.name;
    findings.require(
        is_word(preset.name), key,
        "preset " + ticked(preset.name) + " has an unusable name; accepted: a lower-case word of [a-z0-9_]");
    findings.require_new(seen, preset.name, key, "preset");
    findings.require(is_one_line(preset.summary), key + ".summary",
                     "preset " + ticked(preset.name) + " needs a summary of one line");
    if (!preset.variant.empty()) findings.require_known(preset.variant, kVariants, key + ".variant", "variant");
    check_values(method, preset.parameters, key + ".parameters", findings);
    check_host_tables(preset.host_tables, key, findings);
  }
}

void check_uses(const MethodManifest& method, Findings& findings) {
  std::set<std::string> seen;
  for (const UsesSlot& slot : method.uses) {
    const std::string key = "uses." + slot.name;
    findings.require(is_word(slot.name), key,
                     "slot " + ticked(slot.name) + " has an unusable name; accepted: a lower-case word of [a-z0-9_]");
    findings.require_new(seen, slot.name, key, "slot");
    findings.require(slot.default_method.empty() || is_valid_id(slot.default_method), key + ".default",
                     "the default of slot " + ticked(slot.name) + " is no method id: " + ticked(slot.default_method));
    findings.require(is_one_line(slot.summary), key + ".summary",
                     "slot " + ticked(slot.name) + " needs a summary of one line");
  }
}

void check_conditions(const MethodManifest& method, Findings& findings) {
  for (std::size_t i = 0; i < method.when.size(); ++i) {
    const ConditionalTraits& condition = method.when[i];
    const std::string key = "when." + std::to_string(i);
    Names names;
    for (const ParameterSpec& spec : method.parameters) names.push_back(spec.name);
    findings.require_known(condition.parameter, names, key + ".parameter", "parameter");
    findings.require(!condition.values.empty(), key + ".values", "a condition needs at least one value");
    if (const ParameterSpec* spec = method.find_parameter(condition.parameter)) {
      for (const ParameterValue& value : condition.values) {
        if (const auto why = why_illegal(*spec, value)) {
          findings.add(key + ".values", "a condition's value can never hold: " + *why);
        }
      }
    }
    for (const auto& trait : condition.add_traits)
      findings.require_known(trait, known_traits(), key + ".add_traits", "trait");
    for (const auto& trait : condition.remove_traits) {
      findings.require_known(trait, known_traits(), key + ".remove_traits", "trait");
    }
  }
}

// "attention", "taps:stage4": a lower-case word, then anything after a colon.
bool is_capability(std::string_view text) {
  const auto colon = text.find(':');
  return is_word(text.substr(0, colon)) && (colon == std::string_view::npos || colon + 1 < text.size()) &&
         text.find_first_of(" \t\n") == std::string_view::npos;
}

void check_capabilities(const Names& names, const std::string& key, Findings& findings) {
  for (const std::string& name : names) {
    findings.require(is_capability(name), key,
                     "an entry of " + ticked(key) + " cannot be read: " + ticked(name) +
                         "; accepted: a word such as `attention`, or a word and a name such as `taps:final`");
  }
}

void check_id(const MethodManifest& method, const std::string& vendor, Findings& findings) {
  if (!is_valid_id(method.id)) {
    findings.add(
        "id", "an id cannot be " + ticked(method.id) + "; accepted: a lower-case word such as `cam`, or `vendor.name`");
  } else if (const auto dot = method.id.find('.'); vendor.empty() && dot != std::string::npos) {
    findings.add("id", "an id with a dot needs the vendor it names: " + ticked(method.id) + "; accepted: `vendor = \"" +
                           method.id.substr(0, dot) + "\"` in [plugin]");
  } else if (!vendor.empty() && dot == std::string::npos) {
    findings.add("id", "plain ids belong to Seedbed's own methods: " + ticked(method.id) +
                           "; accepted: " + ticked(vendor + "." + method.id));
  } else if (!vendor.empty() && method.id.substr(0, dot) != vendor) {
    findings.add("id", "an id must begin with the vendor's name: " + ticked(method.id) +
                           "; accepted: " + ticked(vendor + method.id.substr(dot)));
  }
}

void check_method(const MethodManifest& method, const std::string& vendor, Findings& findings) {
  check_id(method, vendor, findings);
  findings.require(method.revision >= 1, "revision",
                   "the revision is " + ticked(std::to_string(method.revision)) +
                       "; accepted: 1 or more, raised whenever numbers change");
  findings.require(is_one_line(method.summary), "summary", "it needs a summary of one line");
  findings.require(!method.licence.empty(), "licence", "it needs a licence; accepted: an SPDX id such as `Apache-2.0`");
  findings.require(method.bytes_per_image >= 0, "bytes_per_image", "bytes_per_image is negative; accepted: 0 or more");
  for (const auto& trait : method.traits) findings.require_known(trait, known_traits(), "traits", "trait");
  for (const auto& label : method.supervision.labels) {
    findings.require_known(label, kLabelKinds, "supervision.labels", "kind of label");
  }
  check_capabilities(method.needs, "needs", findings);
  check_capabilities(method.provides, "provides", findings);
  check_map_type(method.takes, "takes", {"any", "absent", "present"}, {"any", "evidence", "probability"}, findings);
  check_map_type(method.gives, "gives", {"any", "same", "absent", "present"},
                 {"any", "same", "evidence", "probability"}, findings);
  std::set<std::string> seen;
  for (const ParameterSpec& spec : method.parameters) {
    findings.require_new(seen, spec.name, "parameters." + spec.name, "parameter");
    check_parameter(spec, findings);
  }
  check_uses(method, findings);
  check_conditions(method, findings);
  check_presets(method, findings);
  check_host_tables(method.host_defaults, "defaults", findings);
}

}  // namespace

std::vector<ManifestProblem> manifest_problems(const PluginManifest& manifest) {
  std::vector<ManifestProblem> problems;
  Findings of_plugin(problems);
  of_plugin.require(
      is_word(manifest.name), "plugin.name",
      "the library's name cannot be " + ticked(manifest.name) + "; accepted: a lower-case word of [a-z0-9_]");
  of_plugin.require(manifest.vendor.empty() || is_word(manifest.vendor), "plugin.vendor",
                    "the vendor cannot be " + ticked(manifest.vendor) + "; accepted: a lower-case word of [a-z0-9_]");
  of_plugin.require(!manifest.version.empty(), "plugin.version", "the library needs a version, such as `1.0.0`");
  of_plugin.require(!manifest.methods.empty(), "plugin",
                    "the library declares no method; accepted: at least one [[method]]");

  std::set<std::pair<MethodKind, std::string>> seen;
  for (std::size_t i = 0; i < manifest.methods.size(); ++i) {
    const MethodManifest& method = manifest.methods[i];
    Findings findings(problems, "method." + std::to_string(i) + ".", ticked(method.id) + ": ");
    findings.require(seen.emplace(method.kind, method.id).second, "id",
                     "the library declares this " + std::string(name_of(method.kind)) + " twice");
    check_method(method, manifest.vendor, findings);
  }
  return problems;
}

}  // namespace seedbed
