#include "study/resolve_dataset.hpp"

#include <algorithm>
#include <utility>

#include "seedbed/error.hpp"
#include "study/compose.hpp"
#include "study/parse_toml.hpp"

namespace seedbed::study {
namespace {

Json json_from(const Node& node, Findings& findings) {
  if (const Table* table = node.table()) {
    Json json = Json::object();
    for (const Member& member : *table) json[member.name] = json_from(member.value, findings);
    return json;
  }
  if (const Array* array = node.array()) {
    Json json = Json::array();
    for (const Node& each : *array) json.push_back(json_from(each, findings));
    return json;
  }
  if (const std::string* text = node.text()) {
    try {
      return expand_environment(*text, node.place);
    } catch (const UserError& unset_variable) {
      findings.add(node.place, unset_variable);
      return *text;
    }
  }
  const auto value = parameter_value(node);
  return value ? to_json(*value) : Json(to_toml(node));
}

// The place of "dataset.roles.train", or of the nearest table around it.
Place place_of(const Node& dataset, const std::string& where) {
  const Node* node = &dataset;
  const std::vector<std::string> parts = key_parts(where, dataset.place);
  for (std::size_t i = 1; i < parts.size(); ++i) {
    const Node* below = node->table() ? find(*node->table(), parts[i]) : nullptr;
    if (!below) break;
    node = below;
  }
  return node->place;
}

bool names_key(const std::string& where) { return where == "dataset" || where.starts_with("dataset."); }

}  // namespace

std::shared_ptr<const dataset::Dataset> Datasets::open(const Node& table) {
  const std::string text = to_toml(table);
  if (const auto known = opened_.find(text); known != opened_.end()) return known->second;
  const std::size_t before = findings_.num_added();
  Json json = json_from(table, findings_);
  const Node* root = find(*table.table(), "root");
  const bool usable = findings_.num_added() == before;
  if (root && root->text() && usable) json["root"] = absolute_path(*root->text(), root->place).string();
  return opened_[text] = usable ? open_anew(table, json) : nullptr;
}

std::shared_ptr<const dataset::Dataset> Datasets::open_anew(const Node& table, const Json& json) {
  const auto add = [&](const UserError& error) {
    if (names_key(error.where())) {
      findings_.add(place_of(table, error.where()), error.message(), error.hint());
    } else {
      findings_.add(table.place, error);
    }
  };
  try {
    return dataset::Dataset::open(json, images_limit_);
  } catch (const UserErrors& errors) {
    for (const UserError& error : errors.errors()) add(error);
  } catch (const UserError& error) {
    add(error);
  }
  return nullptr;
}

}  // namespace seedbed::study
