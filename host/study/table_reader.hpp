#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "seedbed/parameters.hpp"
#include "study/findings.hpp"
#include "study/node.hpp"

namespace seedbed::study {

using Json = nlohmann::ordered_json;

/// The value of a method's parameter or of a host key; nullopt for what neither can hold (tables, mixed lists, dates).
std::optional<ParameterValue> parameter_value(const Node& node);

Json to_json(const ParameterValue& value);

/// `values` as a JSON object in the order of `specs`; a key that has none gets its default.
Json filled(const std::vector<ParameterSpec>& specs, const ParameterValues& values);

/// A value in a manifest's JSON as a node at `place`.
Node node_from_json(const Json& json, const Place& place);

/// Reads one table of a study. What is read is legal; everything else is added to the findings and left out.
class TableReader {
 public:
  /// `path` is the table's name in messages: "seed_generator.train".
  TableReader(const Table& table, Place place, std::string path, Findings& findings)
      : table_(table), place_(std::move(place)), path_(std::move(path)), findings_(findings) {}

  /// The members that `specs` describe.
  ParameterValues values(const std::vector<ParameterSpec>& specs);

  /// The member described by `spec`, and where it stands.
  std::optional<ParameterValue> value(const ParameterSpec& spec);

  /// Any member; null where there is none.
  const Node* node(std::string_view key);

  /// A member that must be a table. Null where there is none or it is something else (which is found wrong).
  const Node* table(std::string_view key);

  /// A member that must be an array of tables.
  const Array* tables(std::string_view key);

  /// A member that is read elsewhere, or told of elsewhere: not wrong, and not offered.
  void leave(std::string_view key) { left_.emplace_back(key); }

  /// Finds every member wrong that was not asked for.
  void finish();

  /// Of a member, or else of the table.
  Place place_of(std::string_view key) const;
  const Place& place() const { return place_; }
  const std::string& path() const { return path_; }
  std::string path_of(std::string_view key) const {
    return path_.empty() ? std::string(key) : path_ + "." + std::string(key);
  }
  bool has(std::string_view key) const { return find(table_, key) != nullptr; }
  Findings& findings() { return findings_; }

 private:
  void add_wrong_type(std::string_view key, const Node& node, const std::string& accepted);

  const Table& table_;
  Place place_;
  std::string path_;
  Findings& findings_;
  std::vector<std::string> asked_;
  std::vector<std::string> left_;
};

}  // namespace seedbed::study
