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

bool has_step(const std::vector<std::string>& fusion, std::string_view operation) {
  return std::ranges::any_of(fusion, [&](const std::string& step) {
    return step == operation || step.starts_with(std::string(operation) + ":");
  });
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
