#include <algorithm>
#include <utility>

#include "dataset/augmentation_spec.hpp"
#include "study/host_tables.hpp"
#include "study/resolve_tables.hpp"

namespace seedbed::study {
namespace {

void check_augment(TableReader& reader, const Json& table, const char* key) {
  try {
    dataset::augmentation_from(table.at(key).get<std::vector<std::string>>());
  } catch (const UserError& error) {
    reader.findings().add(reader.place_of(key), error);
  }
}

// Reads every table below `key` with `read_one`, which gets its reader.
template <typename Read>
Json read_each(TableReader& reader, std::string_view key, Read read_one) {
  Json json = Json::object();
  const Node* named = reader.table(key);
  if (!named) return json;
  TableReader names(*named->table(), named->place, reader.path_of(key), reader.findings());
  for (const Member& member : *named->table()) {
    const Node* below = names.table(member.name);
    if (!below) continue;
    TableReader values(*below->table(), below->place, names.path_of(member.name), reader.findings());
    json[member.name] = read_one(member.name, values);
    values.finish();
  }
  return json;
}

Json only_given(const ParameterValues& values) {
  Json json = Json::object();
  for (const auto& [name, value] : values) json[name] = to_json(value);
  return json;
}

// Only what the study says: the rest is the method's.
Json read_groups(TableReader& reader) {
  return read_each(reader, "groups", [](const std::string&, TableReader& group) {
    return only_given(group.values(host_table("group").keys));
  });
}

Json read_optimisers(TableReader& reader, const Json& train) {
  return read_each(reader, "optimisers", [&](const std::string&, TableReader& optimiser) {
    Json json = Json::object();
    for (const ParameterSpec& spec : host_table("optimiser").keys) json[spec.name] = train.at(spec.name);
    json.update(only_given(optimiser.values(host_table("optimiser").keys)));
    return json;
  });
}

Json read_terms(TableReader& reader) {
  return read_each(reader, "terms", [](const std::string&, TableReader& term) {
    const HostTable& form = host_table("term");
    return filled(form.keys, term.values(form.keys));
  });
}

// What follows `word` in the needs of a method: "view:strong" -> "strong".
std::vector<std::string> needed(const MethodChoice& method, std::string_view word) {
  std::vector<std::string> names;
  for (const std::string& need : method.manifest->needs) {
    if (need.starts_with(word)) names.push_back(need.substr(word.size()));
  }
  return names;
}

// Views by name, `main` being the fit's own; a method may need some.
Json read_views(const MethodChoice& method, TableReader& reader) {
  const Json views = read_each(reader, "views", [&](const std::string& name, TableReader& view) {
    const HostTable& form = host_table("view");
    Json json = filled(form.keys, view.values(form.keys));
    check_augment(view, json, "augment");
    check_input(json.at("input"), view.place_of("input"), reader.findings());
    if (name == "main" || name == "base") {
      reader.findings().add(view.place(), "a view cannot be called `" + name + "`: `train` makes that one itself",
                            "accepted: another name");
    }
    return json;
  });
  const Node* given = reader.table("views");
  for (const std::string& name : needed(method, "view:")) {
    if (views.contains(name)) continue;
    const std::string path = reader.path_of("views") + "." + name;
    reader.findings().add(given ? given->place : reader.place(),
                          "`" + method.manifest->id + "` needs a view that is not there: `" + path + "`",
                          "accepted: `" + path + " = { augment = [...] }`");
  }
  return views;
}

bool read_role(TableReader& reader, const char* key, const Roles& roles) {
  if (!reader.has(key)) {
    reader.findings().add(reader.place(), "`" + reader.path() + "` names no role",
                          "accepted: `" + std::string(key) + " = ROLE`");
    return false;
  }
  const Node* given = reader.node(key);
  return given->text() && roles.require(*given->text(), given->place);
}

// The streams that the study gives are those that the method takes.
Json read_streams(const MethodChoice& method, TableReader& reader, const Roles& roles) {
  const std::vector<std::string> taken = needed(method, "stream:");
  const Json streams = read_each(reader, "streams", [&](const std::string& name, TableReader& stream) {
    if (std::ranges::find(taken, name) == taken.end()) {
      reader.findings().add(stream.place(), "`" + method.manifest->id + "` takes no stream `" + name + "`",
                            taken.empty() ? "it takes none" : hint_for(name, taken));
    }
    const HostTable& form = host_table("stream");
    const ParameterValues values = stream.values(form.keys);
    Json json = filled(form.keys, values);
    if (!values.contains("batch_size")) json.erase("batch_size");
    read_role(stream, "role", roles);
    check_augment(stream, json, "augment");
    check_input(json.at("input"), stream.place_of("input"), reader.findings());
    return json;
  });
  for (const std::string& name : taken) {
    if (streams.contains(name)) continue;
    const std::string path = reader.path_of("streams") + "." + name;
    reader.findings().add(reader.place(),
                          "`" + method.manifest->id + "` needs a stream that is not there: `" + path + "`",
                          "accepted: `" + path + " = { role = ROLE }`");
  }
  return streams;
}

void check_result(const Json& train, TableReader& reader) {
  if (train.at("checkpoint") == "best" && !reader.has("validate")) {
    reader.findings().add(reader.place_of("checkpoint"), "no validation says which checkpoint is the best",
                          "accepted: `validate = { on = ROLE }`; or `last`");
  }
  if (train.at("checkpoint_of") == "teacher" && train.at("ema_decay") == 0.0) {
    reader.findings().add(reader.place_of("checkpoint_of"), "this fit has no teacher",
                          "accepted: `student`, or an `ema_decay` above 0");
  }
}

void settle_length(Json& train, TableReader& reader) {
  if (reader.has("epochs") && reader.has("steps")) {
    reader.findings().add(reader.place_of("steps"), "`" + reader.path() + "` holds both `epochs` and `steps`",
                          "accepted: one of them");
  }
  if (reader.has("steps")) train["epochs"] = 0;
}

// What is scored by image-level labels needs no masks.
bool read_scored_role(TableReader& validate, const std::string& metric, const Roles& roles) {
  if (!read_role(validate, "on", roles)) return false;
  const Node* on = validate.node("on");
  return metric != "miou_union" || roles.require_masks(*on->text(), on->place, "`miou_union` needs");
}

std::optional<Json> read_validate(Fitted fitted, TableReader& reader, const Roles& roles) {
  const Node* given = reader.table("validate");
  if (!given) return std::nullopt;
  Findings& findings = reader.findings();
  const HostTable& form = host_table("validate");
  TableReader validate(*given->table(), given->place, reader.path_of("validate"), findings);
  Json json = filled(form.keys, validate.values(form.keys));
  const std::string usual = fitted == Fitted::segmenter ? "miou_union" : "map_macro";
  if (json.at("metric") == "") json["metric"] = usual;
  if (fitted == Fitted::refiner) {
    findings.add(given->place, "a trained refiner has no metric of its own to be validated by", "leave `validate` out");
  } else if (fitted == Fitted::segmenter && json.at("metric") != usual) {
    findings.add(validate.place_of("metric"), "a segmenter gives no image-level scores", "accepted: `miou_union`");
  }
  read_scored_role(validate, json.at("metric"), roles);
  check_input(json.at("input"), validate.place_of("input"), findings);
  if (fitted == Fitted::seed_generator) {
    json["fusion"] = read_fusion(validate);
    check_fusion(validate, json, json.at("fusion").get<std::vector<std::string>>());
  }
  validate.finish();
  return json;
}

}  // namespace

Json read_train(Fitted fitted, const std::vector<const MethodChoice*>& choices, const Node* given,
                const std::string& path, const Roles& roles, Findings& findings) {
  const Table layers = layered_table(choices, "train", given, findings);
  const HostTable& form = host_table("train");
  TableReader reader(layers, given ? given->place : choices.front()->place, path, findings);
  Json train = filled(form.keys, reader.values(form.keys));
  train["views"] = read_views(*choices.front(), reader);
  train["streams"] = read_streams(*choices.front(), reader, roles);
  if (auto validate = read_validate(fitted, reader, roles)) train["validate"] = std::move(*validate);
  train["optimisers"] = read_optimisers(reader, train);
  train["groups"] = read_groups(reader);
  train["terms"] = read_terms(reader);
  reader.value(host_table("method").keys.front());  // a preset's name, where layering could not read it
  settle_length(train, reader);
  for (const char* key : {"base", "augment"}) check_augment(reader, train, key);
  check_input(train.at("input"), reader.place_of("input"), findings);
  check_result(train, reader);
  reader.finish();
  return train;
}

}  // namespace seedbed::study
