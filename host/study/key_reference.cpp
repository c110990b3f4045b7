#include "study/key_reference.hpp"

#include "study/host_tables.hpp"

namespace seedbed::study {
namespace {

std::string type_of(const ParameterSpec& spec) {
  const std::string range = accepted_range(spec);
  const bool is_ranged_number = spec.type == ParameterType::number && (spec.minimum || spec.maximum);
  return is_ranged_number ? "a number, " + range : range;
}

// What stands for itself needs no default: an empty text or list is explained by the sentence.
std::string default_of(const ParameterSpec& spec) {
  const std::string text = to_toml(spec.default_value);
  return text == "\"\"" || text == "[]" ? "" : "`" + text + "`";
}

std::string row(const std::string& key, const std::string& type, const std::string& unit, const std::string& value,
                const std::string& sentence) {
  return "| `" + key + "` | " + type + " | " + unit + " | " + value + " | " + sentence + " |\n";
}

std::string section(const HostTable& table) {
  std::string text = "### " + table.heading + "\n\n" + table.summary + "\n\n";
  if (table.keys.empty() && table.nested.empty()) return text;
  text += "| key | type | unit | default | what it does |\n| --- | --- | --- | --- | --- |\n";
  for (const ParameterSpec& spec : table.keys) {
    text += row(spec.name, type_of(spec), spec.unit, default_of(spec), spec.summary);
  }
  for (const NestedKey& key : table.nested) text += row(key.name, key.form, "", "", key.summary);
  return text + "\n";
}

}  // namespace

std::string key_reference() {
  std::string text;
  for (const HostTable& table : host_tables()) text += section(table);
  text += "### Known, not available yet\n\n";
  for (const NestedKey& key : later_keys()) text += "- `" + key.name + "`: " + key.summary + "\n";
  return text;
}

}  // namespace seedbed::study
