#include "study/compose.hpp"
#include "study/host_tables.hpp"
#include "study/resolve_parts.hpp"
#include "study/resolve_tables.hpp"

namespace seedbed::study {
namespace {

std::optional<Json> read_link(const Node& node, MapChain* chain, const std::string& path, const std::string& on,
                              const CellContext& context) {
  TableReader reader(*node.table(), node.place, path, context.findings);
  const auto choice = context.methods.read(reader, MethodKind::refiner);
  if (!choice) return std::nullopt;
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

}  // namespace

Json read_chain(const Array& given, MapChain* chain, const std::string& path, const std::string& on,
                const CellContext& context) {
  Json refiners = Json::array();
  for (const Node& node : given) {
    if (auto refiner = read_link(node, chain, path, on, context)) refiners.push_back(std::move(*refiner));
  }
  return refiners;
}

}  // namespace seedbed::study
