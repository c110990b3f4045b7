#include "study/grid_axis.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "study/host_tables.hpp"
#include "study/parse_toml.hpp"

namespace seedbed::study {
namespace {

constexpr std::array<std::string_view, 5> kKeysOfTheWhole{"schema", "extends", "study", "grid", "report"};

std::string text_value(TableReader& reader, const char* key) {
  for (const ParameterSpec& spec : host_table("axis").keys) {
    if (spec.name != key) continue;
    const auto value = reader.value(spec);
    return value ? std::get<std::string>(*value) : "";
  }
  return {};
}

// Settings of the study as a whole do not differ between cells.
void refuse_study_keys(const Table& settings, Findings& findings) {
  for (const Member& member : settings) {
    if (std::ranges::find(kKeysOfTheWhole, member.name) == kKeysOfTheWhole.end()) continue;
    findings.add(member.place, "this key cannot differ from cell to cell: `" + member.name + "`",
                 "accepted: keys of what a cell does, such as `seed_generator.train.epochs`");
  }
}

std::vector<Level> levels_of_values(TableReader& reader) {
  std::vector<Level> levels;
  const std::string key = text_value(reader, "key");
  const Node* values = reader.node("values");
  if (!values || !values->array()) {
    const bool absent = !values;
    reader.findings().add(
        absent ? reader.place() : values->place,
        absent ? "an axis has a `key` and no `values`" : "`values` is a list; this is " + std::string(values->phrase()),
        "accepted: `values = [0.35, 0.55]`");
    return levels;
  }
  const Place key_place = reader.place_of("key");
  const std::vector<std::string> parts = key_parts(key, key_place);
  for (const Node& value : *values->array()) levels.push_back({label_of(value), nested(parts, value, key_place)});
  return levels;
}

Level read_level(const Node& node, Findings& findings) {
  TableReader reader(*node.table(), node.place, "grid.axis.levels", findings);
  ParameterSpec label;
  label.name = "label";
  label.type = ParameterType::text;
  label.summary = "What the level is called in tables.";
  const auto text = reader.value(label);
  if (!reader.has("label"))
    findings.add(node.place, "a level has no label", "accepted: `{ label = \"DRS\", set = { ... } }`");
  const Node* set = reader.table("set");
  reader.finish();
  return {text ? std::get<std::string>(*text) : "", set ? *set->table() : Table{}};
}

std::vector<Level> read_levels(TableReader& reader) {
  const bool has_key = reader.has("key") || reader.has("values"), has_levels = reader.has("levels");
  if (has_key == has_levels) {
    reader.findings().add(
        reader.place(),
        has_key ? "an axis holds both `levels` and `key` with `values`" : "an axis holds nothing to vary",
        "accepted: `key` with `values`, or `levels`");
  }
  std::vector<Level> levels;
  if (has_key) {
    if (reader.has("key")) return levels_of_values(reader);
    reader.findings().add(reader.place_of("values"), "an axis has `values` and no `key`",
                          "accepted: `key = \"seed_generator.delta\"`");
  } else if (const Array* given = reader.tables("levels")) {
    for (const Node& each : *given) levels.push_back(read_level(each, reader.findings()));
  }
  return levels;
}

void refuse_repeated_labels(const Axis& axis, const Place& place, Findings& findings) {
  std::vector<std::string> seen;
  for (const Level& level : axis.levels) {
    if (std::ranges::find(seen, level.label) != seen.end()) {
      findings.add(place, "two levels of axis `" + axis.name + "` are called `" + level.label + "`",
                   "accepted: a label of its own for each");
    }
    seen.push_back(level.label);
  }
}

std::vector<std::string> labels_of(const Node& node) {
  std::vector<std::string> labels;
  if (const Array* array = node.array()) {
    for (const Node& each : *array) labels.push_back(label_of(each));
  } else {
    labels.push_back(label_of(node));
  }
  return labels;
}

bool check_labels(const Axis& axis, const std::vector<std::string>& labels, const Place& place, Findings& findings) {
  std::vector<std::string> known;
  for (const Level& level : axis.levels) known.push_back(level.label);
  bool all_known = true;
  for (const std::string& label : labels) {
    if (std::ranges::find(known, label) != known.end()) continue;
    findings.add(place, "axis `" + axis.name + "` has no level `" + label + "`", hint_for(label, known));
    all_known = false;
  }
  return all_known;
}

}  // namespace

bool Condition::holds(const Levels& levels) const {
  return std::ranges::all_of(parts, [&](const Part& part) {
    const auto found = std::ranges::find(levels, part.axis, &Levels::value_type::first);
    return found != levels.end() && std::ranges::find(part.labels, found->second) != part.labels.end();
  });
}

std::optional<Condition> read_condition(const Node& node, const std::vector<Axis>& axes, Findings& findings) {
  Condition condition{{}, node.place};
  bool legal = true;
  for (const Member& member : *node.table()) {
    const auto axis = std::ranges::find(axes, member.name, &Axis::name);
    if (axis == axes.end()) {
      const std::vector<std::string> names = names_of(axes);
      findings.add(member.place, "there is no axis `" + member.name + "` to hold to",
                   names.empty() ? "no axis stands before it in this block" : hint_for(member.name, names));
      legal = false;
      continue;
    }
    Condition::Part part{member.name, labels_of(member.value)};
    legal = check_labels(*axis, part.labels, member.value.place, findings) && legal;
    condition.parts.push_back(std::move(part));
  }
  return legal ? std::optional(std::move(condition)) : std::nullopt;
}

std::optional<Axis> read_axis(const Node& node, const std::vector<Axis>& earlier, Findings& findings) {
  const std::size_t before = findings.num_added();
  TableReader reader(*node.table(), node.place, "grid.axis", findings);
  Axis axis;
  axis.name = text_value(reader, "name");
  if (axis.name.empty()) findings.add(reader.place_of("name"), "an axis has no name", "accepted: `name = \"delta\"`");
  if (std::ranges::find(earlier, axis.name, &Axis::name) != earlier.end()) {
    findings.add(reader.place_of("name"), "two axes of a block are called `" + axis.name + "`",
                 "accepted: another name");
  }
  try {
    axis.levels = read_levels(reader);
  } catch (const UserError& no_key) {
    findings.add(reader.place_of("key"), no_key.message(), no_key.hint());
  }
  if (axis.levels.empty() && findings.num_added() == before) {
    findings.add(reader.place_of(reader.has("levels") ? "levels" : "values"), "axis `" + axis.name + "` has no level",
                 "accepted: at least one");
  }
  refuse_repeated_labels(axis, node.place, findings);
  for (const Level& level : axis.levels) refuse_study_keys(level.settings, findings);
  if (const Node* only = reader.table("only")) axis.only = read_condition(*only, earlier, findings);
  if (reader.has("levels")) reader.node("key"), reader.node("values");
  reader.node("levels");
  reader.node("values");
  reader.finish();
  return findings.num_added() == before ? std::optional(std::move(axis)) : std::nullopt;
}

}  // namespace seedbed::study
