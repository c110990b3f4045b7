#include <utility>

#include "study/compose.hpp"
#include "study/host_tables.hpp"
#include "study/resolve_parts.hpp"
#include "study/resolve_tables.hpp"

namespace seedbed::study {
namespace {

std::optional<Json> read_link(const Node& node, MapChain* chain, const std::string& path, const std::string& on,
                              const CellContext& context, const ChainStart& start) {
  TableReader reader(*node.table(), node.place, path, context.findings);
  const auto choice = context.methods.read(reader, MethodKind::refiner);
  if (!choice) return std::nullopt;
  if (chain && start) start(*chain, *choice->manifest, node.place);
  const auto name = reader.value(host_table("refiner").keys.front());
  Json refiner = choice->json;
  if (const Node* background = reader.table("background")) {
    if (chain) chain->add_background(background->place);
    const auto rule = read_rule(*background->table(), background->place, reader.path_of("background"), RuleUse::plane,
                                context.roles, context.findings);
    refiner["background"] = rule.value_or(Json::object());
  }
  if (chain) chain->refine(*choice->manifest, choice->place);
  if (choice->is_fitted()) {
    context.findings.add(
        choice->place,
        "a trained refiner on " + on + " is not available in this version: `" + choice->manifest->id + "`",
        "accepted: a refiner without training");
  }
  refiner["name"] = name ? std::get<std::string>(*name) : name_after(choice->manifest->id);
  reader.finish();
  return refiner;
}

bool is_of_two(const Json& rule) { return rule.at("rule") == "two_thresholds" || rule.at("rule") == "two_powers"; }

// Both runs of a rule of two: labels where the refiner takes labels, else maps with the run's background plane.
ChainStart start_of_runs(const std::string& rule) {
  return [rule](MapChain& chain, const MethodManifest& first, const Place& place) {
    if (first.takes.form == "labels") {
      chain.become_labels(rule);
    } else {
      chain.add_background(place);
    }
  };
}

void read_runs(TableReader& reader, const MapChain* chain, const CellContext& context, Json& rule) {
  const Array* given = reader.tables("refiners");
  const Node* wins = reader.node("background_wins");
  if (!is_of_two(rule)) {
    context.findings.add(reader.place_of(given ? "refiners" : "background_wins"),
                         "only a rule of two runs takes `refiners` and `background_wins`",
                         "accepted: `two_thresholds`, `two_powers`; or entries of `[[refiner]]` before the rule");
    return;
  }
  ParameterSpec flag;
  flag.name = "background_wins";
  flag.type = ParameterType::boolean;
  flag.summary = "Background where the two runs contradict each other.";
  const auto background_wins = wins ? reader.value(flag) : std::nullopt;
  if (!given || given->empty()) {
    context.findings.add(reader.place(), "`" + reader.path() + "` has no `refiners` for its two runs",
                         "accepted: at least one; or leave `refiners` and `background_wins` out");
    return;
  }
  auto runs = chain ? std::optional(*chain) : std::nullopt;
  rule["refiners"] = read_chain(*given, runs ? &*runs : nullptr, reader.path_of("refiners"), "labels of two runs",
                                context, start_of_runs(rule.at("rule")));
  if (runs && !runs->is_labels() && !runs->has_background()) runs->label("argmax", given->back().place);
  rule["background_wins"] = background_wins && std::get<bool>(*background_wins);
}

}  // namespace

Json read_chain(const Array& given, MapChain* chain, const std::string& path, const std::string& on,
                const CellContext& context, const ChainStart& start) {
  Json refiners = Json::array();
  for (const Node& node : given) {
    const bool is_first = &node == &given.front();
    auto refiner = read_link(node, chain, path, on, context, is_first ? start : ChainStart());
    if (refiner) refiners.push_back(std::move(*refiner));
  }
  return refiners;
}

std::optional<Json> read_label_rule(const Table& table, const Place& place, const std::string& path, RuleUse use,
                                    const MapChain* chain, const CellContext& context) {
  auto rule = read_rule(table, place, path, use, context.roles, context.findings);
  TableReader reader(table, place, path, context.findings);
  if (rule && (reader.has("refiners") || reader.has("background_wins"))) read_runs(reader, chain, context, *rule);
  return rule;
}

}  // namespace seedbed::study
