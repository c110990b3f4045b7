#pragma once

#include <compare>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

// A study file as a tree whose values know where they were written, whatever file, level or flag they came from.
namespace seedbed::study {

/// Where text was read: a file, a `--set`, a method's manifest.
struct Source {
  std::string name;              ///< as shown to people
  std::filesystem::path folder;  ///< what relative paths in it start from
  std::size_t order = 0;         ///< errors are told in the order of sources
  bool has_lines = true;
};

struct Place {
  std::shared_ptr<const Source> source;
  std::uint32_t line = 0;
  std::uint32_t column = 0;

  std::string text() const;  ///< "study.toml:3:7", "--set a.b=1"; "" without a source
  std::strong_ordering operator<=>(const Place& other) const;
  bool operator==(const Place& other) const { return std::is_eq(*this <=> other); }
};

struct Node;
struct Member;
using Array = std::vector<Node>;
using Table = std::vector<Member>;  ///< in the order of the file

/// A date or a time: TOML has them, studies do not use them.
struct DateOrTime {
  std::string text;
};

struct Node {
  std::variant<bool, std::int64_t, double, std::string, Array, Table, DateOrTime> value;
  Place place;

  const Table* table() const { return std::get_if<Table>(&value); }
  Table* table() { return std::get_if<Table>(&value); }
  const Array* array() const { return std::get_if<Array>(&value); }
  Array* array() { return std::get_if<Array>(&value); }
  const std::string* text() const { return std::get_if<std::string>(&value); }

  /// What it is, inside a sentence: "a number", "a table".
  std::string_view phrase() const;
};

struct Member {
  std::string name;
  Place place;  ///< of the key
  Node value;
};

const Node* find(const Table& table, std::string_view name);
Node* find(Table& table, std::string_view name);

/// Sets the member `name`, in its old position where it has one.
void assign(Table& table, Member member);

/// A member's text; "" where there is none or it is no text.
std::string text_of(const Table& table, std::string_view name);

/// The table that `a.b.c = value` stands for; every key has the place of the dotted one.
Table nested(const std::vector<std::string>& path, Node value, const Place& key_place);

/// On one line, as TOML writes it.
std::string to_toml(const Node& node);

/// A whole file: top-level values, then [tables] and [[arrays of tables]], what is deeper inline.
std::string to_toml_document(const Table& table);

/// As a label of a grid's level: 0.5, drs, [0.5, 1].
std::string label_of(const Node& node);

}  // namespace seedbed::study
