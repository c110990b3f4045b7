#include "manifest_tool/toml_reader.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <utility>

#include <nlohmann/json.hpp>

namespace seedbed::manifest_tool {
namespace {

std::string ticked(std::string_view text) { return "`" + std::string(text) + "`"; }

std::string_view phrase_of(const toml::node& node) {
  switch (node.type()) {
    case toml::node_type::table:
      return "a table";
    case toml::node_type::array:
      return "a list";
    case toml::node_type::string:
      return "a text";
    case toml::node_type::integer:
      return "an integer";
    case toml::node_type::floating_point:
      return "a number";
    case toml::node_type::boolean:
      return "true or false";
    default:
      return "a date or time";
  }
}

template <typename T>
std::optional<ParameterValue> list_value(const toml::array& array) {
  std::vector<T> values;
  for (const toml::node& element : array) {
    const auto value = element.value_exact<T>();
    if (!value) return std::nullopt;
    values.push_back(*value);
  }
  return values;
}

// Integers among numbers count as numbers.
std::optional<ParameterValue> number_list(const toml::array& array) {
  std::vector<double> values;
  for (const toml::node& element : array) {
    if (!element.is_number()) return std::nullopt;
    values.push_back(*element.value<double>());
  }
  return values;
}

std::optional<ParameterValue> value_of(const toml::node& node) {
  if (const auto value = node.value_exact<bool>()) return *value;
  if (const auto value = node.value_exact<std::int64_t>()) return *value;
  if (const auto value = node.value_exact<double>()) return *value;
  if (const auto value = node.value_exact<std::string>()) return *value;
  const toml::array* array = node.as_array();
  if (!array) return std::nullopt;
  if (auto integers = list_value<std::int64_t>(*array)) return integers;
  if (auto numbers = number_list(*array)) return numbers;
  return list_value<std::string>(*array);
}

// nullopt for what JSON does not know: dates, times, infinities.
std::optional<nlohmann::json> json_of(const toml::node& node) {
  if (const toml::table* table = node.as_table()) {
    auto object = nlohmann::json::object();
    for (const auto& [key, element] : *table) {
      auto value = json_of(element);
      if (!value) return std::nullopt;
      object[std::string(key.str())] = *std::move(value);
    }
    return object;
  }
  if (const toml::array* array = node.as_array()) {
    auto list = nlohmann::json::array();
    for (const toml::node& element : *array) {
      auto value = json_of(element);
      if (!value) return std::nullopt;
      list.push_back(*std::move(value));
    }
    return list;
  }
  if (const auto value = node.value_exact<bool>()) return *value;
  if (const auto value = node.value_exact<std::int64_t>()) return *value;
  if (const auto value = node.value_exact<std::string>()) return *value;
  if (const auto value = node.value_exact<double>(); value && std::isfinite(*value)) return *value;
  return std::nullopt;
}

}  // namespace

void TomlErrors::add(const toml::source_region& at, std::string message, std::string hint) {
  const std::string where = file_name_ + ":" + std::to_string(at.begin.line) + ":" + std::to_string(at.begin.column);
  found_.push_back({at.begin, UserError(where, std::move(message), std::move(hint))});
}

void TomlErrors::throw_if_any() const {
  if (found_.empty()) return;
  std::vector<Found> sorted = found_;
  std::ranges::stable_sort(sorted, {}, [](const Found& found) { return std::pair(found.at.line, found.at.column); });
  std::vector<UserError> errors;
  for (const Found& found : sorted) errors.push_back(found.error);
  throw UserErrors(std::move(errors));
}

std::string TomlTable::name() const { return path_.empty() ? "the file" : "[" + path_ + "]"; }

std::string TomlTable::below_path(std::string_view key) const {
  return path_.empty() ? std::string(key) : path_ + "." + std::string(key);
}

const toml::node* TomlTable::find(std::string_view key) {
  asked_.emplace_back(key);
  return table_.get(key);
}

template <typename T>
const T* TomlTable::find_as(std::string_view key, std::string_view phrase) {
  const toml::node* node = find(key);
  if (!node) return nullptr;
  const T* typed = node->as<T>();
  if (!typed) {
    errors_.add(node->source(), ticked(key) + " in " + name() + " is " + std::string(phrase_of(*node)),
                "accepted: " + std::string(phrase));
  }
  return typed;
}

std::string TomlTable::required_text(std::string_view key) {
  if (!has(key)) complain("", name() + " lacks " + ticked(key));
  return text(key);
}

std::string TomlTable::text(std::string_view key, std::string fallback) {
  const auto* value = find_as<toml::value<std::string>>(key, "a text");
  return value ? value->get() : std::move(fallback);
}

std::optional<std::int64_t> TomlTable::integer(std::string_view key) {
  const auto* value = find_as<toml::value<std::int64_t>>(key, "an integer");
  return value ? std::optional(value->get()) : std::nullopt;
}

bool TomlTable::boolean(std::string_view key, bool fallback) {
  const auto* value = find_as<toml::value<bool>>(key, "true or false");
  return value ? value->get() : fallback;
}

std::optional<double> TomlTable::number(std::string_view key) {
  if (const toml::node* node = table_.get(key); node && node->is_integer()) {
    asked_.emplace_back(key);
    return node->value<double>();
  }
  const auto* value = find_as<toml::value<double>>(key, "a number");
  if (!value) return std::nullopt;
  if (!std::isfinite(value->get()))
    complain(key, ticked(key) + " in " + name() + " is not finite", "accepted: a number");
  return value->get();
}

std::vector<std::string> TomlTable::texts(std::string_view key) {
  std::vector<std::string> result;
  const auto* array = find_as<toml::array>(key, "a list of texts");
  if (!array) return result;
  for (const toml::node& element : *array) {
    if (const auto value = element.value_exact<std::string>()) {
      result.push_back(*value);
    } else {
      errors_.add(element.source(), ticked(key) + " in " + name() + " holds " + std::string(phrase_of(element)),
                  "accepted: a list of texts");
    }
  }
  return result;
}

std::set<std::string> TomlTable::text_set(std::string_view key) {
  const auto all = texts(key);
  return {all.begin(), all.end()};
}

std::optional<ParameterValue> TomlTable::value(std::string_view key) {
  const toml::node* node = find(key);
  if (!node) return std::nullopt;
  auto result = value_of(*node);
  if (!result) {
    errors_.add(node->source(), ticked(key) + " in " + name() + " cannot be a parameter's value",
                "accepted: true or false, a number, a text, or a list of numbers or texts");
  }
  return result;
}

std::vector<ParameterValue> TomlTable::values(std::string_view key) {
  std::vector<ParameterValue> result;
  const auto* array = find_as<toml::array>(key, "a list");
  if (!array) return result;
  for (const toml::node& element : *array) {
    if (auto value = value_of(element)) {
      result.push_back(*std::move(value));
    } else {
      errors_.add(element.source(),
                  "an element of " + ticked(key) + " in " + name() + " cannot be a parameter's value");
    }
  }
  return result;
}

ParameterValues TomlTable::all_values() {
  ParameterValues result;
  for (const auto& [key, node] : table_) {
    if (auto held = value(key.str())) result.emplace(key.str(), *std::move(held));
  }
  return result;
}

std::optional<TomlTable> TomlTable::table(std::string_view key) {
  const auto* below = find_as<toml::table>(key, "a table");
  if (!below) return std::nullopt;
  return TomlTable(*below, below_path(key), errors_);
}

void TomlTable::each_table(std::string_view key, const std::function<void(const std::string&, TomlTable&)>& read) {
  const auto* below = find_as<toml::table>(key, "a table of tables");
  if (!below) return;
  // toml++ sorts keys by name; authors sort them by meaning.
  std::vector<std::pair<const toml::key*, const toml::node*>> entries;
  for (const auto& [name, node] : *below) entries.emplace_back(&name, &node);
  std::ranges::stable_sort(entries, {}, [](const auto& entry) {
    const auto at = entry.first->source().begin;
    return std::pair(at.line, at.column);
  });
  const TomlTable group(*below, below_path(key), errors_);
  for (const auto& [name, node] : entries) {
    const std::string text(name->str());
    if (const toml::table* table = node->as_table()) {
      TomlTable reader(*table, group.below_path(text), errors_);
      read(text, reader);
      reader.finish();
    } else {
      errors_.add(node->source(), ticked(text) + " in " + group.name() + " is " + std::string(phrase_of(*node)),
                  "accepted: a table");
    }
  }
}

void TomlTable::each_element(std::string_view key, const std::function<void(TomlTable&)>& read) {
  const auto* array = find_as<toml::array>(key, "an array of tables, [[" + std::string(key) + "]]");
  if (!array) return;
  for (const toml::node& element : *array) {
    if (const toml::table* table = element.as_table()) {
      TomlTable reader(*table, below_path(key), errors_);
      read(reader);
    } else {
      errors_.add(element.source(), "an element of " + ticked(key) + " is " + std::string(phrase_of(element)),
                  "accepted: a table");
    }
  }
}

std::optional<std::string> TomlTable::json(std::string_view key) {
  const auto* below = find_as<toml::table>(key, "a table");
  if (!below) return std::nullopt;
  const auto value = json_of(*below);
  if (!value) {
    complain(key, ticked(key) + " in " + name() + " holds a date, a time or an infinite number",
             "accepted: texts, finite numbers, true or false, lists and tables of them");
    return std::nullopt;
  }
  return value->dump();
}

void TomlTable::complain(std::string_view key, const std::string& message, const std::string& hint) {
  const toml::node* node = key.empty() ? nullptr : table_.get(key);
  errors_.add(node ? node->source() : table_.source(), message, hint);
}

void TomlTable::finish() {
  for (const auto& [key, node] : table_) {
    if (std::ranges::find(asked_, key.str()) != asked_.end()) continue;
    const std::string nearest = nearest_name(key.str(), asked_);
    std::string hint = nearest.empty() ? "accepted: " : "nearest: " + ticked(nearest) + "; accepted: ";
    for (const std::string& asked : asked_) hint += (&asked == &asked_.front() ? "" : ", ") + ticked(asked);
    errors_.add(key.source(), "unknown key in " + name() + ": " + ticked(key.str()), hint);
  }
}

toml::table parse_toml(std::string_view text, const std::string& file_name) {
  try {
    return toml::parse(text, file_name);
  } catch (const toml::parse_error& error) {
    TomlErrors errors(file_name);
    errors.add(error.source(), "this is not valid TOML: " + std::string(error.description()));
    errors.throw_if_any();
    throw;
  }
}

toml::source_region region_of(const toml::table& root, std::string_view path) {
  const toml::node* node = &root;
  toml::source_region region = root.source();
  while (!path.empty()) {
    const auto dot = path.find('.');
    const std::string_view key = path.substr(0, dot);
    path = dot == std::string_view::npos ? std::string_view{} : path.substr(dot + 1);
    const toml::node* below = nullptr;
    if (const toml::table* table = node->as_table()) below = table->get(key);
    if (const toml::array* array = node->as_array()) {
      std::size_t index = 0;
      std::from_chars(key.data(), key.data() + key.size(), index);
      below = array->get(index);
    }
    if (!below) break;
    node = below;
    region = node->source();
  }
  return region;
}

}  // namespace seedbed::manifest_tool
