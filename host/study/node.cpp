#include "study/node.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <tuple>
#include <utility>

#include "seedbed/parameters.hpp"

namespace seedbed::study {
namespace {

constexpr std::array<std::string_view, 7> kPhrases{"true or false", "an integer", "a number",      "a text",
                                                   "a list",        "a table",    "a date or time"};

std::string key_text(std::string_view name) {
  const bool bare = !name.empty() && std::ranges::all_of(name, [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '_' || c == '-';
  });
  return bare ? std::string(name) : seedbed::to_toml(ParameterValue(std::string(name)));
}

bool is_list_of_tables(const Node& node) {
  const Array* array = node.array();
  return array && !array->empty() && std::ranges::all_of(*array, [](const Node& each) { return each.table(); });
}

std::string members_text(const Table& table) {
  std::string text;
  for (const Member& member : table) text += key_text(member.name) + " = " + to_toml(member.value) + "\n";
  return text;
}

}  // namespace

std::string Place::text() const {
  if (!source) return {};
  if (!source->has_lines) return source->name;
  return source->name + ":" + std::to_string(line) + ":" + std::to_string(column);
}

std::strong_ordering Place::operator<=>(const Place& other) const {
  const auto position = [](const Place& place) {
    return std::tuple(place.source ? place.source->order : 0, place.line, place.column);
  };
  return position(*this) <=> position(other);
}

std::string_view Node::phrase() const { return kPhrases[value.index()]; }

const Node* find(const Table& table, std::string_view name) {
  const auto found = std::ranges::find(table, name, &Member::name);
  return found == table.end() ? nullptr : &found->value;
}

Node* find(Table& table, std::string_view name) {
  const auto found = std::ranges::find(table, name, &Member::name);
  return found == table.end() ? nullptr : &found->value;
}

void assign(Table& table, Member member) {
  const auto found = std::ranges::find(table, member.name, &Member::name);
  if (found == table.end()) {
    table.push_back(std::move(member));
  } else {
    *found = std::move(member);
  }
}

std::string text_of(const Table& table, std::string_view name) {
  const Node* node = find(table, name);
  return node && node->text() ? *node->text() : "";
}

Table nested(const std::vector<std::string>& path, Node value, const Place& key_place) {
  Node node = std::move(value);
  for (std::size_t i = path.size(); i-- > 1;)
    node = Node{Table{Member{path[i], key_place, std::move(node)}}, key_place};
  return Table{Member{path.front(), key_place, std::move(node)}};
}

std::string to_toml(const Node& node) {
  std::string text;
  if (const Table* table = node.table()) {
    for (const Member& member : *table) {
      text += (text.empty() ? " " : ", ") + key_text(member.name) + " = " + to_toml(member.value);
    }
    return text.empty() ? "{}" : "{" + text + " }";
  }
  if (const Array* array = node.array()) {
    for (const Node& each : *array) text += (text.empty() ? "" : ", ") + to_toml(each);
    return "[" + text + "]";
  }
  if (const auto* flag = std::get_if<bool>(&node.value)) return *flag ? "true" : "false";
  if (const auto* integer = std::get_if<std::int64_t>(&node.value)) return std::to_string(*integer);
  if (const auto* number = std::get_if<double>(&node.value)) return seedbed::to_toml(ParameterValue(*number));
  if (const auto* date = std::get_if<DateOrTime>(&node.value)) return date->text;
  return seedbed::to_toml(ParameterValue(*node.text()));
}

std::string to_toml_document(const Table& table) {
  std::string text, tables;
  for (const Member& member : table) {
    if (const Table* below = member.value.table()) {
      tables += "\n[" + key_text(member.name) + "]\n" + members_text(*below);
    } else if (is_list_of_tables(member.value)) {
      for (const Node& each : *member.value.array()) {
        tables += "\n[[" + key_text(member.name) + "]]\n" + members_text(*each.table());
      }
    } else {
      text += key_text(member.name) + " = " + to_toml(member.value) + "\n";
    }
  }
  return text + tables;
}

std::string label_of(const Node& node) {
  if (node.text()) return *node.text();
  if (const auto* number = std::get_if<double>(&node.value)) {
    std::array<char, 32> buffer{};
    return {buffer.data(), std::to_chars(buffer.data(), buffer.data() + buffer.size(), *number).ptr};
  }
  if (const Array* array = node.array()) {
    std::string text;
    for (const Node& each : *array) text += (text.empty() ? "" : ", ") + label_of(each);
    return "[" + text + "]";
  }
  return to_toml(node);
}

}  // namespace seedbed::study
