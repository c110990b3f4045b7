#include "study/resolve_tables.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "dataset/augmentation_spec.hpp"
#include "seedbed/fusion_plan.hpp"
#include "study/host_tables.hpp"

namespace seedbed::study {
namespace {

constexpr double kMostNumbers = 10'000;  // tried by one `choose`

// A table whose members are tables of the same keys: `groups`, `terms`.
Json read_named_tables(TableReader& reader, std::string_view key, const HostTable& form) {
  Json json = Json::object();
  const Node* named = reader.table(key);
  if (!named) return json;
  TableReader names(*named->table(), named->place, reader.path_of(key), reader.findings());
  for (const Member& member : *named->table()) {
    const Node* below = names.table(member.name);
    if (!below) continue;
    TableReader values(*below->table(), below->place, names.path_of(member.name), reader.findings());
    json[member.name] = filled(form.keys, values.values(form.keys));
    values.finish();
  }
  return json;
}

void settle_length(Json& train, TableReader& reader) {
  if (reader.has("epochs") && reader.has("steps")) {
    reader.findings().add(reader.place_of("steps"), "`" + reader.path() + "` holds both `epochs` and `steps`",
                          "accepted: one of them");
  }
  if (reader.has("steps")) train["epochs"] = 0;
}

void check_augment(TableReader& reader, const Json& table, const char* key) {
  try {
    dataset::augmentation_from(table.at(key).get<std::vector<std::string>>());
  } catch (const UserError& error) {
    reader.findings().add(reader.place_of(key), error);
  }
}

// Views by name, `main` being the fit's own; a method may need some.
Json read_views(TableReader& train, const MethodManifest& method) {
  const HostTable& form = host_table("view");
  Json views = Json::object();
  const Node* named = train.table("views");
  const Table none;
  TableReader names(named ? *named->table() : none, named ? named->place : train.place(), train.path_of("views"),
                    train.findings());
  for (const Member& member : named ? *named->table() : none) {
    const Node* below = names.table(member.name);
    if (!below) continue;
    TableReader view(*below->table(), below->place, names.path_of(member.name), train.findings());
    Json json = filled(form.keys, view.values(form.keys));
    check_augment(view, json, "augment");
    check_input(json.at("input"), view.place_of("input"), train.findings());
    view.finish();
    if (member.name == "main" || member.name == "base") {
      train.findings().add(member.place, "a view cannot be called `" + member.name + "`: `train` makes that one itself",
                           "accepted: another name");
    }
    views[member.name] = std::move(json);
  }
  constexpr std::string_view view_need = "view:";
  for (const std::string& need : method.needs) {
    if (!need.starts_with(view_need)) continue;
    const std::string name = need.substr(view_need.size());
    if (views.contains(name)) continue;
    train.findings().add(names.place(), "`" + method.id + "` needs a view that is not there: `" + names.path_of(name) + "`",
                         "accepted: `" + names.path_of(name) + " = { augment = [...] }`");
  }
  return views;
}

std::vector<std::string> read_fusion(TableReader& reader) {
  const Node* given = reader.node("fusion");
  if (!given) return to_strings(named_fusion_plan("plain"));
  try {
    if (given->text()) return to_strings(named_fusion_plan(*given->text()));
    const auto steps = parameter_value(*given);
    if (const auto* texts = steps ? std::get_if<std::vector<std::string>>(&*steps) : nullptr) {
      return to_strings(fusion_plan_from(*texts));
    }
    reader.findings().add(
        given->place, "a fusion is the name of a list or the list itself; this is " + std::string(given->phrase()),
        "accepted: " + listed(fusion_plan_names()) + ", or a list of steps such as `[\"relu\", \"resize:image\"]`");
  } catch (const UserError& error) {
    reader.findings().add(given->place, error);
  }
  return {};
}

bool has_step(const std::vector<std::string>& fusion, std::string_view operation) {
  return std::ranges::any_of(fusion, [&](const std::string& step) {
    return step == operation || step.starts_with(std::string(operation) + ":");
  });
}

// A list that leaves several maps, or a mirrored one, is told here and not an hour later.
void check_fusion(TableReader& reader, const Json& localise, const std::vector<std::string>& fusion) {
  if (fusion.empty()) return;
  const auto require = [&](bool needed, std::string_view step, const char* because) {
    if (!needed || has_step(fusion, step)) return;
    reader.findings().add(reader.place_of("fusion"), "the fusion list lacks a step: `" + std::string(step) + "`",
                          because);
  };
  require(localise.at("scales").size() > 1, "merge_scales", "several `scales` are to become one map");
  require(localise.at("flip").get<bool>(), "unflip", "`flip` is on, and mirrored maps must be mirrored back");
  require(localise.at("flip").get<bool>(), "merge_flip", "`flip` is on, and two views are to become one map");
}

// Keys of RULE that hold numbers, by rule.
struct RuleForm {
  std::string rule;
  std::vector<std::string> numbers;
  bool may_choose = false;
};

const std::vector<RuleForm>& rule_forms() {
  static const std::vector<RuleForm> all{{"argmax", {}},
                                         {"threshold", {"value"}, true},
                                         {"power", {"alpha"}, true},
                                         {"two_thresholds", {"high", "low"}},
                                         {"two_powers", {"alpha_low", "alpha_high"}},
                                         {"saliency", {}}};
  return all;
}

ParameterSpec rule_number(const std::string& name) {
  ParameterSpec spec;
  spec.name = name;
  spec.type = ParameterType::number;
  spec.summary = "A number of the background rule.";
  const bool is_power = name.starts_with("alpha");
  spec.minimum = is_power ? 1e-6 : 0.0;
  if (!is_power) spec.maximum = 1.0;
  return spec;
}

Json choose_defaults(const std::string& rule) {
  if (rule == "power") return {{"from", 1.0}, {"to", 32.0}, {"step", 1.0}};
  return {{"from", 0.0}, {"to", 0.99}, {"step", 0.01}};
}

std::optional<Json> read_choose(const Node& given, const std::string& path, const std::string& rule, const Roles& roles,
                                Findings& findings) {
  const HostTable& form = host_table("choose");
  TableReader reader(*given.table(), given.place, path, findings);
  const std::size_t before = findings.num_added();
  Json choose = filled(form.keys, reader.values(form.keys));
  reader.finish();
  const Json defaults = choose_defaults(rule);
  for (const auto& [name, value] : defaults.items()) {
    if (!reader.has(name)) choose[name] = value;
  }
  if (!reader.has("on")) {
    findings.add(given.place, "`" + path + "` names no role", "accepted: `on = ROLE`, a role with masks");
  } else if (findings.num_added() == before) {
    roles.require_masks(choose.at("on"), reader.place_of("on"), "choosing needs");
  }
  const double from = choose.at("from"), to = choose.at("to"), step = choose.at("step");
  const bool legal = from <= to && (to - from) / step <= kMostNumbers && (rule == "power" ? from > 0 : to <= 1);
  if (!legal && findings.num_added() == before) {
    findings.add(given.place, "`" + path + "` gives no usable numbers to try",
                 rule == "power" ? "accepted: 0 < `from` <= `to`, at most 10000 numbers"
                                 : "accepted: 0 <= `from` <= `to` <= 1, at most 10000 numbers");
  }
  return findings.num_added() == before ? std::optional(choose) : std::nullopt;
}

bool is_of_plane(std::string_view key) { return key == "side" || key == "salient" || key == "soft"; }

// The form that the rule's name stands for; null where it is none, or none for this use.
const RuleForm* find_form(TableReader& reader, RuleUse use) {
  ParameterSpec spec = host_table("rule").keys.front();
  if (use == RuleUse::plane) spec.choices = {"threshold", "power", "saliency"};
  if (use == RuleUse::training_labels) std::erase(spec.choices, "saliency");
  if (!reader.has("rule")) {
    reader.findings().add(reader.place(), "`" + reader.path() + "` names no rule",
                          "accepted: `rule`, one of " + listed(spec.choices));
    return nullptr;
  }
  const auto name = reader.value(spec);
  if (!name) return nullptr;
  return &*std::ranges::find(rule_forms(), std::get<std::string>(*name), &RuleForm::rule);
}

void read_numbers(TableReader& reader, const RuleForm& form, bool is_chosen, Json& rule) {
  for (const std::string& name : form.numbers) {
    const ParameterSpec spec = rule_number(name);
    if (reader.has(name) && is_chosen) {
      reader.findings().add(reader.place_of(name), "`" + reader.path() + "` holds both `" + name + "` and `choose`",
                            "accepted: one of them");
    }
    if (const auto number = reader.value(spec)) {
      rule[name] = to_json(*number);
    } else if (!reader.has(name) && !is_chosen) {
      reader.findings().add(
          reader.place(), "`" + reader.path() + "` lacks `" + name + "`",
          "accepted: " + accepted_range(spec) + (form.may_choose ? "; or `choose = { on = ROLE }`" : ""));
    }
  }
  for (const std::string prefix : {"", "alpha_"}) {
    const std::string low = prefix + "low", high = prefix + "high";
    if (!rule.contains(high) || !rule.contains(low) || rule.at(low) <= rule.at(high)) continue;
    reader.findings().add(reader.place_of(low), "`" + low + "` is above `" + high + "`",
                          "accepted: `" + low + "` <= `" + high + "`");
  }
}

// A plane is 1 - saliency and nothing more: what decides about labels does not belong to it.
void read_saliency(TableReader& reader, RuleUse use, const Roles& roles, Json& rule) {
  std::vector<ParameterSpec> keys = host_table("saliency").keys;
  if (use == RuleUse::plane) std::erase_if(keys, [](const ParameterSpec& key) { return !is_of_plane(key.name); });
  rule.update(filled(keys, reader.values(keys)));
  if (use == RuleUse::plane) {
    rule["floor"] = 0.0;
    rule["doubt_salient"] = false;
  }
  roles.require_side(rule.at("side"), reader.place_of("side"));
}

// Only what is given: the rest is as if these keys did not exist.
void read_doubt(TableReader& reader, Json& rule) {
  for (const ParameterSpec& spec : host_table("doubt").keys) {
    if (const auto value = reader.value(spec)) rule[spec.name] = to_json(*value);
  }
}

}  // namespace

void check_input(const std::string& text, const Place& place, Findings& findings) {
  try {
    dataset::input_size_from(text);
  } catch (const UserError& error) {
    findings.add(place, error);
  }
}

Json read_train(const std::vector<const MethodChoice*>& choices, const Node* given, const std::string& path,
                Findings& findings) {
  const Table layers = layered_table(choices, "train", given, findings);
  const HostTable& form = host_table("train");
  TableReader reader(layers, given ? given->place : choices.front()->place, path, findings);
  Json train = filled(form.keys, reader.values(form.keys));
  train["views"] = read_views(reader, *choices.front()->manifest);
  train["groups"] = read_named_tables(reader, "groups", host_table("group"));
  train["terms"] = read_named_tables(reader, "terms", host_table("term"));
  reader.leave("validate");
  if (reader.has("validate")) {
    findings.add(reader.place_of("validate"), "scores while training are not available in this version",
                 "leave out `validate`");
  }
  reader.value(host_table("method").keys.front());  // a preset's name, where layering could not read it
  settle_length(train, reader);
  for (const char* key : {"base", "augment"}) check_augment(reader, train, key);
  check_input(train.at("input"), reader.place_of("input"), findings);
  reader.finish();
  return train;
}

Json read_localise(const MethodChoice& generator, const Node* given, const std::string& path, Findings& findings) {
  const Table layers = layered_table({&generator}, "localise", given, findings);
  const HostTable& form = host_table("localise");
  TableReader reader(layers, given ? given->place : generator.place, path, findings);
  Json localise = filled(form.keys, reader.values(form.keys));
  const std::vector<std::string> fusion = read_fusion(reader);
  localise["fusion"] = fusion;
  reader.value(host_table("method").keys.front());
  check_fusion(reader, localise, fusion);
  check_input(localise.at("input"), reader.place_of("input"), findings);
  reader.finish();
  return localise;
}

std::optional<Json> read_rule(const Table& table, const Place& place, const std::string& path, RuleUse use,
                              const Roles& roles, Findings& findings) {
  TableReader reader(table, place, path, findings);
  const std::size_t before = findings.num_added();
  const RuleForm* form = find_form(reader, use);
  if (!form) return std::nullopt;
  Json rule{{"rule", form->rule}};
  const bool may_choose = form->may_choose && use == RuleUse::labels;
  const Node* choose = may_choose ? reader.table("choose") : nullptr;
  read_numbers(reader, *form, choose != nullptr, rule);
  if (form->rule == "saliency") read_saliency(reader, use, roles, rule);
  if (use != RuleUse::plane) read_doubt(reader, rule);
  if (choose) {
    if (auto chosen = read_choose(*choose, reader.path_of("choose"), form->rule, roles, findings))
      rule["choose"] = *chosen;
  }
  // What labels pass before they are compared: read_label_rule takes it.
  if (use != RuleUse::plane) {
    for (const char* key : {"refiners", "background_wins"}) reader.leave(key);
  }
  if (use == RuleUse::plane) reader.leave("choose");
  if (use == RuleUse::plane && reader.has("choose")) {
    findings.add(reader.place_of("choose"),
                 "a number chosen for a refiner's background is not available in this version",
                 form->numbers.empty() ? "leave `choose` out" : "accepted: `" + form->numbers.front() + "`");
  }
  reader.finish();
  return findings.num_added() == before ? std::optional(rule) : std::nullopt;
}

}  // namespace seedbed::study
