#include "study/table_reader.hpp"

#include <algorithm>
#include <set>
#include <utility>

namespace seedbed::study {
namespace {

template <typename T>
std::optional<std::vector<T>> list_of(const Array& array) {
  std::vector<T> list;
  for (const Node& each : array) {
    const T* held = std::get_if<T>(&each.value);
    if (!held) return std::nullopt;
    list.push_back(*held);
  }
  return list;
}

std::optional<std::vector<double>> numbers_of(const Array& array) {
  std::vector<double> list;
  for (const Node& each : array) {
    if (const auto* number = std::get_if<double>(&each.value)) {
      list.push_back(*number);
    } else if (const auto* integer = std::get_if<std::int64_t>(&each.value)) {
      list.push_back(static_cast<double>(*integer));
    } else {
      return std::nullopt;
    }
  }
  return list;
}

std::optional<ParameterValue> list_value(const Array& array) {
  if (auto integers = list_of<std::int64_t>(array)) return std::move(*integers);
  if (auto numbers = numbers_of(array)) return std::move(*numbers);
  if (auto texts = list_of<std::string>(array)) return std::move(*texts);
  return std::nullopt;
}

}  // namespace

std::optional<ParameterValue> parameter_value(const Node& node) {
  if (const auto* flag = std::get_if<bool>(&node.value)) return *flag;
  if (const auto* integer = std::get_if<std::int64_t>(&node.value)) return *integer;
  if (const auto* number = std::get_if<double>(&node.value)) return *number;
  if (node.text()) return *node.text();
  if (node.array()) return list_value(*node.array());
  return std::nullopt;
}

Json to_json(const ParameterValue& value) {
  return std::visit([](const auto& held) { return Json(held); }, value);
}

Json filled(const std::vector<ParameterSpec>& specs, const ParameterValues& values) {
  Json json = Json::object();
  for (const ParameterSpec& spec : specs) {
    const auto found = values.find(spec.name);
    json[spec.name] = to_json(found == values.end() ? spec.default_value : found->second);
  }
  return json;
}

Node node_from_json(const Json& json, const Place& place) {
  Node node{false, place};
  if (json.is_object()) {
    Table table;
    for (const auto& [key, value] : json.items()) table.push_back({key, place, node_from_json(value, place)});
    node.value = std::move(table);
  } else if (json.is_array()) {
    Array array;
    for (const Json& each : json) array.push_back(node_from_json(each, place));
    node.value = std::move(array);
  } else if (json.is_boolean()) {
    node.value = json.get<bool>();
  } else if (json.is_number_integer()) {
    node.value = json.get<std::int64_t>();
  } else if (json.is_number()) {
    node.value = json.get<double>();
  } else {
    node.value = json.is_string() ? json.get<std::string>() : std::string();
  }
  return node;
}

ParameterValues TableReader::values(const std::vector<ParameterSpec>& specs) {
  ParameterValues values;
  for (const ParameterSpec& spec : specs) {
    if (auto read = value(spec)) values[spec.name] = std::move(*read);
  }
  return values;
}

std::optional<ParameterValue> TableReader::value(const ParameterSpec& spec) {
  const Node* given = node(spec.name);
  if (!given) return std::nullopt;
  const std::optional<ParameterValue> value = parameter_value(*given);
  if (!value) {
    add_wrong_type(spec.name, *given, accepted_range(spec));
    return std::nullopt;
  }
  const ParameterValue widened = coerced(spec, *value);
  if (const auto why = why_illegal(spec, widened)) {
    findings_.add(given->place, "the value of `" + path_of(spec.name) + "` is not legal: " + *why,
                  spec.summary + (spec.unit.empty() ? "" : " Unit: " + spec.unit + "."));
    return std::nullopt;
  }
  return widened;
}

const Node* TableReader::node(std::string_view key) {
  asked_.emplace_back(key);
  return find(table_, key);
}

const Node* TableReader::table(std::string_view key) {
  const Node* given = node(key);
  if (!given || given->table()) return given;
  add_wrong_type(key, *given, "a table");
  return nullptr;
}

const Array* TableReader::tables(std::string_view key) {
  const Node* given = node(key);
  if (!given) return nullptr;
  const Array* array = given->array();
  if (array && std::ranges::all_of(*array, [](const Node& each) { return each.table() != nullptr; })) return array;
  add_wrong_type(key, *given,
                 "a list of tables: `[[" + path_of(key) + "]]`, or `" + std::string(key) + " = [{ ... }]`");
  return nullptr;
}

void TableReader::finish() {
  for (const Member& member : table_) {
    const auto holds = [&](const std::vector<std::string>& keys) {
      return std::ranges::find(keys, member.name) != keys.end();
    };
    if (holds(asked_) || holds(left_)) continue;
    const std::set<std::string> distinct(asked_.begin(), asked_.end());
    const std::vector<std::string> legal(distinct.begin(), distinct.end());
    findings_.add(member.place, "this key is unknown: `" + path_of(member.name) + "`", hint_for(member.name, legal));
  }
}

Place TableReader::place_of(std::string_view key) const {
  const auto found = std::ranges::find(table_, key, &Member::name);
  return found == table_.end() ? place_ : found->value.place;
}

void TableReader::add_wrong_type(std::string_view key, const Node& node, const std::string& accepted) {
  findings_.add(node.place,
                "the value of `" + path_of(key) + "` has the wrong type: it is " + std::string(node.phrase()),
                "accepted: " + accepted);
}

}  // namespace seedbed::study
