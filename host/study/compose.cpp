#include "study/compose.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <set>
#include <utility>

#include "study/parse_toml.hpp"

namespace seedbed::study {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaximumFiles = 100;

// What stays when a table's method changes: a node's place in the graph, nothing of the method.
constexpr std::array<std::string_view, 5> kOutlivesMethod{"name", "enabled", "inputs", "keep", "weight"};

// Keys of which one table holds one: `epochs` of `train`, the others of rules.
struct ExclusiveKeys {
  std::string_view one;
  std::string_view other;
};
constexpr std::array<ExclusiveKeys, 3> kExclusiveKeys{{{"epochs", "steps"}, {"value", "choose"}, {"alpha", "choose"}}};

// Flags come after all files in the order of errors.
constexpr std::size_t kOrderOfFlags = 1'000'000;

bool holds_rule(std::string_view table_name) { return table_name == "background" || table_name == "labels"; }

// The key whose value decides what else a table may hold.
std::string_view deciding_key(std::string_view table_name) {
  if (table_name == "dataset") return "kind";
  return holds_rule(table_name) ? "rule" : "method";
}

bool outlives_method(std::string_view key) { return std::ranges::find(kOutlivesMethod, key) != kOutlivesMethod.end(); }

void reset_where_decided_anew(Table& base, const Table& over, std::string_view table_name) {
  const std::string_view key = deciding_key(table_name);
  const std::string before = text_of(base, key), now = text_of(over, key);
  if (before.empty() || now.empty() || before == now) return;
  std::erase_if(base, [](const Member& member) { return !outlives_method(member.name); });
}

void drop_excluded(Table& base, const Table& over, std::string_view table_name) {
  for (const ExclusiveKeys& keys : kExclusiveKeys) {
    if (keys.one == "epochs" ? table_name != "train" : !holds_rule(table_name)) continue;
    const bool has_one = find(over, keys.one), has_other = find(over, keys.other);
    if (has_one == has_other) continue;
    const std::string_view dropped = has_one ? keys.other : keys.one;
    std::erase_if(base, [&](const Member& member) { return member.name == dropped; });
  }
}

bool is_list_of_tables(const Node& node) {
  const Array* array = node.array();
  return array && std::ranges::all_of(*array, [](const Node& each) { return each.table() != nullptr; });
}

// A member of an array of tables goes by its name, or else by its method's.
std::string member_name(const Node& node) {
  const std::string name = text_of(*node.table(), "name");
  return name.empty() ? name_after(text_of(*node.table(), "method")) : name;
}

Node* member_named(Array& array, std::string_view name) {
  const auto found = std::ranges::find_if(array, [&](const Node& each) { return member_name(each) == name; });
  return found == array.end() ? nullptr : &*found;
}

void overlay_members(Array& base, const Table& over, std::string_view array_name, Findings& findings) {
  for (const Member& member : over) {
    Node* named = member_named(base, member.name);
    if (!named) {
      std::vector<std::string> names;
      for (const Node& each : base) names.push_back(member_name(each));
      findings.add(member.place, "`" + std::string(array_name) + "` has no member `" + member.name + "`",
                   hint_for(member.name, names));
    } else if (!member.value.table()) {
      findings.add(
          member.value.place,
          "a member of `" + std::string(array_name) + "` is a table; this is " + std::string(member.value.phrase()),
          "accepted: a key below it, such as `" + std::string(array_name) + "." + member.name + ".enabled`");
    } else {
      overlay_table(*named->table(), *member.value.table(), array_name, findings);
    }
  }
}

void merge_by_name(Array& base, const Array& over, std::string_view array_name, Findings& findings) {
  for (const Node& each : over) {
    if (Node* named = member_named(base, member_name(each))) {
      overlay_table(*named->table(), *each.table(), array_name, findings);
    } else {
      base.push_back(each);
    }
  }
}

void overlay_value(Node& base, const Member& over, Findings& findings) {
  const bool both_lists = is_list_of_tables(base) && is_list_of_tables(over.value);
  if (base.table() && over.value.table()) {
    overlay_table(*base.table(), *over.value.table(), over.name, findings);
  } else if (is_list_of_tables(base) && over.value.table()) {
    overlay_members(*base.array(), *over.value.table(), over.name, findings);
  } else if (over.name == "refiner" && both_lists) {
    merge_by_name(*base.array(), *over.value.array(), over.name, findings);
  } else {
    base = over.value;
  }
}

// Loads a file below those in `chain`, each of which extends the next.
class Loader {
 public:
  Table load(const fs::path& file, const std::string& shown) {
    std::error_code error;
    const std::string canonical = fs::weakly_canonical(file, error).string();
    if (std::ranges::find(chain_, canonical) != chain_.end()) {
      throw UserError(extends_place_.text(), "a file extends itself: `" + shown + "`",
                      "leave out one `extends` of the circle");
    }
    if (num_files_ == kMaximumFiles)
      throw UserError(extends_place_.text(), "a study extends too many files", "accepted: 100");
    Table own = parse_file(file, shown, num_files_++);
    const auto extends = std::ranges::find(own, "extends", &Member::name);
    if (extends == own.end()) return own;
    const Node names = std::move(extends->value);
    own.erase(extends);
    chain_.push_back(canonical);
    Table composed;
    Findings findings;
    for (const Node& name : listed_names(names)) overlay(composed, load_extended(name, shown), findings);
    overlay(composed, own, findings);
    findings.throw_if_any();
    chain_.pop_back();
    return composed;
  }

 private:
  static Array listed_names(const Node& names) {
    Array list = names.array() ? *names.array() : Array{names};
    for (const Node& name : list) {
      if (name.text() && !name.text()->empty()) continue;
      throw UserError(name.place.text(), "`extends` names a file; this is " + std::string(name.phrase()),
                      "accepted: a path such as `presets/irn.toml`, or a list of paths");
    }
    return list;
  }

  Table load_extended(const Node& name, const std::string& from) {
    const fs::path file = absolute_path(*name.text(), name.place);
    extends_place_ = name.place;
    std::error_code error;
    if (!fs::is_regular_file(file, error)) {
      throw UserError(name.place.text(), "the extended file does not exist: `" + *name.text() + "`",
                      files_beside(file));
    }
    const fs::path written(*name.text());
    const bool is_own = written.is_relative() && name.text()->find("${") == std::string::npos;
    return load(file, is_own ? (fs::path(from).parent_path() / written).lexically_normal().string() : file.string());
  }

  static std::string files_beside(const fs::path& missing) {
    std::vector<std::string> names;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(missing.parent_path(), error)) {
      if (entry.path().extension() == ".toml") names.push_back(entry.path().filename().string());
    }
    std::ranges::sort(names);
    if (names.empty()) return "there is no TOML file in `" + missing.parent_path().string() + "`";
    return hint_for(missing.filename().string(), names);
  }

  std::vector<std::string> chain_;
  std::size_t num_files_ = 0;
  Place extends_place_;
};

// Levels and flags address refiners by name, also after their method was changed.
void name_refiners(Table& study) {
  Node* refiners = find(study, "refiner");
  if (!refiners || !is_list_of_tables(*refiners)) return;
  for (Node& each : *refiners->array()) {
    const Node* method = find(*each.table(), "method");
    if (find(*each.table(), "name") || !method || !method->text()) continue;
    const Place place = method->place;
    each.table()->push_back({"name", place, Node{name_after(*method->text()), place}});
  }
}

}  // namespace

void overlay_table(Table& base, const Table& over, std::string_view table_name, Findings& findings) {
  reset_where_decided_anew(base, over, table_name);
  drop_excluded(base, over, table_name);
  for (const Member& member : over) {
    if (Node* below = find(base, member.name)) {
      overlay_value(*below, member, findings);
    } else {
      base.push_back(member);
    }
  }
}

void overlay(Table& base, const Table& over, Findings& findings) { overlay_table(base, over, "", findings); }

Table load_composed(const fs::path& file) {
  Table study = Loader().load(file, file.string());
  name_refiners(study);
  return study;
}

Table combined_sets(const std::vector<std::string>& sets, Findings& findings) {
  Table combined;
  for (std::size_t i = 0; i < sets.size(); ++i) {
    overlay(combined, parse_assignment(sets[i], kOrderOfFlags + i), findings);
  }
  return combined;
}

std::string name_after(std::string_view method_id) {
  const auto dot = method_id.rfind('.');
  return std::string(dot == std::string_view::npos ? method_id : method_id.substr(dot + 1));
}

std::string expand_environment(const std::string& text, const Place& place) {
  std::string expanded;
  std::size_t at = 0;
  for (std::size_t start = text.find("${"); start != std::string::npos; start = text.find("${", at)) {
    const std::size_t end = text.find('}', start);
    if (end == std::string::npos)
      throw UserError(place.text(), "`${` is not closed: `" + text + "`", "accepted: `${NAME}`");
    const std::string name = text.substr(start + 2, end - start - 2);
    const char* value = std::getenv(name.c_str());
    if (!value) {
      throw UserError(place.text(), "this environment variable is not set: `" + name + "`",
                      "set it, e.g. `export " + name + "=/path`, or write the path out");
    }
    expanded += text.substr(at, start - at) + value;
    at = end + 1;
  }
  return expanded + text.substr(at);
}

fs::path absolute_path(const std::string& text, const Place& place) {
  const fs::path path(expand_environment(text, place));
  return (place.source && path.is_relative() ? place.source->folder / path : path).lexically_normal();
}

}  // namespace seedbed::study
