#pragma once

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <toml++/toml.h>

#include "seedbed/error.hpp"
#include "seedbed/parameters.hpp"

namespace seedbed::manifest_tool {

/// What is wrong in one file, in the order of its lines.
class TomlErrors {
 public:
  explicit TomlErrors(std::string file_name) : file_name_(std::move(file_name)) {}

  void add(const toml::source_region& at, std::string message, std::string hint = {});
  /// Throws: UserErrors, if anything was added.
  void throw_if_any() const;
  std::size_t size() const { return found_.size(); }

 private:
  struct Found {
    toml::source_position at;
    UserError error;
  };
  std::string file_name_;
  std::vector<Found> found_;
};

/// Reads the keys of one table by type; a key that nobody asked for is an error. What is missing or of another type is
/// reported and read as the fallback, so that one pass finds everything.
class TomlTable {
 public:
  /// `path` is the table's dotted name, empty for the whole file.
  TomlTable(const toml::table& table, std::string path, TomlErrors& errors)
      : table_(table), path_(std::move(path)), errors_(errors) {}

  std::string required_text(std::string_view key);
  std::string text(std::string_view key, std::string fallback = {});
  std::optional<std::int64_t> integer(std::string_view key);
  bool boolean(std::string_view key, bool fallback);
  std::optional<double> number(std::string_view key);
  std::vector<std::string> texts(std::string_view key);
  std::set<std::string> text_set(std::string_view key);
  std::optional<ParameterValue> value(std::string_view key);
  std::vector<ParameterValue> values(std::string_view key);
  /// Every key as a parameter's value.
  ParameterValues all_values();
  /// The table below `key`; nullopt where there is none.
  std::optional<TomlTable> table(std::string_view key);
  /// The tables below `key` by name, in the order of the file.
  void each_table(std::string_view key, const std::function<void(const std::string&, TomlTable&)>& read);
  /// The elements of an array of tables; `read` finishes each.
  void each_element(std::string_view key, const std::function<void(TomlTable&)>& read);

  /// The JSON text of the table below `key`, if there is one.
  std::optional<std::string> json(std::string_view key);
  /// Reports a key that was not asked for, with the nearest of those that were.
  void finish();

  bool has(std::string_view key) const { return table_.contains(key); }
  std::string name() const;  ///< in messages: "[method.presets.irn]"
  void complain(std::string_view key, const std::string& message, const std::string& hint = {});

 private:
  std::string below_path(std::string_view key) const;
  const toml::node* find(std::string_view key);
  template <typename T>
  const T* find_as(std::string_view key, std::string_view phrase);

  const toml::table& table_;
  std::string path_;
  TomlErrors& errors_;
  std::vector<std::string> asked_;
};

/// Throws: UserErrors with the one syntax error that the parser stops at.
toml::table parse_toml(std::string_view text, const std::string& file_name);

/// The region of the node at a dotted path ("method.0.id"), or of the nearest node above it.
toml::source_region region_of(const toml::table& root, std::string_view path);

}  // namespace seedbed::manifest_tool
