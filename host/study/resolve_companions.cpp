#include "study/host_tables.hpp"
#include "study/resolve_parts.hpp"
#include "study/resolve_tables.hpp"

namespace seedbed::study {
namespace {

// What a manifest's need asks for: "maps:low", "labels:sure".
struct NamedNeed {
  std::string word;
  std::string name;
};

std::vector<NamedNeed> named_needs(const MethodManifest& method) {
  std::vector<NamedNeed> named;
  for (const std::string& need : method.needs) {
    const std::size_t colon = need.find(':');
    if (colon == std::string::npos) continue;
    const std::string word = need.substr(0, colon);
    if (word == "maps" || word == "labels") named.push_back({word, need.substr(colon + 1)});
  }
  return named;
}

// `own`: what the study itself says of it, or null.
Json read_companion(const Node& given, const Node* own, const NamedNeed& need, std::optional<MapChain> chain,
                    const std::string& path, const CellContext& context) {
  TableReader reader(*given.table(), given.place, path, context.findings);
  MapChain* maps = chain ? &*chain : nullptr;
  Json json = Json::object();
  json["refiners"] = Json::array();
  if (const Array* refiners = reader.tables("refiners")) {
    json["refiners"] =
        read_chain(*refiners, maps, reader.path_of("refiners"), "companions of training images", context);
  }
  // A plane that the method brings along gives way to maps that have theirs, as in a refiner's entry.
  const bool has_plane = maps && (maps->has_background() || maps->is_labels());
  const bool is_asked = own && own->table() && find(*own->table(), "background");
  const Node* background = reader.table("background");
  if (has_plane && !is_asked) background = nullptr;
  if (background) {
    if (maps) maps->add_background(background->place);
    const auto rule = read_rule(*background->table(), background->place, reader.path_of("background"), RuleUse::plane,
                                context.roles, context.findings);
    if (rule) json["background"] = *rule;
    if (reader.has("labels")) {
      context.findings.add(background->place, "`" + path + "` holds both `background` and `labels`",
                           "accepted: one of them; a rule of `labels` decides where background is");
    }
  }
  const Node* labels = reader.table("labels");
  if (labels) {
    const auto rule = read_label_rule(*labels->table(), labels->place, reader.path_of("labels"),
                                      RuleUse::training_labels, maps, context);
    if (rule && maps && !background) maps->label(rule->at("rule").get<std::string>(), labels->place);
    if (rule) json["labels"] = *rule;
  }
  reader.finish();
  const bool gives_labels = labels || (maps && maps->is_labels());
  if (maps && gives_labels != (need.word == "labels")) {
    context.findings.add(given.place, "this companion is to hold " + need.word + ": `" + path + "`",
                         gives_labels ? "leave `labels` out, and refiners that give labels"
                                      : "accepted: `labels = RULE`, or a refiner that gives labels");
  }
  return json;
}

}  // namespace

Json read_companions(const MethodChoice& method, const Node* given, const MapChain* chain, const std::string& path,
                     const CellContext& context) {
  Json companions = Json::object();
  const std::vector<NamedNeed> needs = named_needs(*method.manifest);
  const Table layers = layered_table({&method}, "companions", given, context.findings);
  const Place place = given ? given->place : method.place;
  TableReader named(layers, place, path, context.findings);
  for (const NamedNeed& need : needs) {
    const Node* companion = named.table(need.name);
    if (companion) {
      const auto before = chain ? std::optional(*chain) : std::nullopt;
      const Node* own = given && given->table() ? find(*given->table(), need.name) : nullptr;
      companions[need.name] = read_companion(*companion, own, need, before, named.path_of(need.name), context);
    } else if (!named.has(need.name)) {
      context.findings.add(place,
                           "`" + method.manifest->id + "` is trained with a companion that is not there: `" +
                               named.path_of(need.name) + "`",
                           "accepted: `companions." + need.name + " = { ... }` in its entry");
    }
  }
  named.finish();
  return companions;
}

}  // namespace seedbed::study
