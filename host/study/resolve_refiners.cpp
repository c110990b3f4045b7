#include <algorithm>
#include <array>
#include <cctype>
#include <utility>

#include "study/compose.hpp"
#include "study/host_tables.hpp"
#include "study/resolve_parts.hpp"
#include "study/resolve_tables.hpp"

namespace seedbed::study {
namespace {

// Names that nodes and targets have already.
constexpr std::array<std::string_view, 9> kTakenNames{"seeds",         "seed_labels",  "seed_generator",
                                                      "pseudo_labels", "predictions",  "segmenter",
                                                      "main",          "image_labels", "instances"};

bool is_name(std::string_view text) {
  return !text.empty() &&
         std::ranges::all_of(text, [](unsigned char c) { return std::isalnum(c) != 0 || c == '_' || c == '-'; });
}

class RefinerReading {
 public:
  RefinerReading(const Node& entry, MapChain* chain, const std::optional<MethodChoice>* backbone,
                 const CellContext& context)
      : reader_(*entry.table(), entry.place, "refiner", context.findings),
        chain_(chain),
        backbone_(backbone),
        context_(context) {}

  // Reads the whole entry; a disabled one is checked as well, but not against the chain.
  void read(Scorable& scorable, Json& refiners);

 private:
  void read_background(const MethodChoice& refiner, bool enabled, Json& json);
  void read_network(const MethodChoice& refiner, bool enabled, Json& json);
  void read_fit(const MethodChoice& refiner, const MapChain* before, Json& json);
  void check_inputs(const Json& json);
  void check_name(const std::string& name, const Scorable& scorable);

  TableReader reader_;
  MapChain* chain_;
  const std::optional<MethodChoice>* backbone_;  // the study's
  const CellContext& context_;
};

void RefinerReading::read(Scorable& scorable, Json& refiners) {
  const HostTable& form = host_table("refiner");
  const auto choice = context_.methods.read(reader_, MethodKind::refiner);
  Json own = filled(form.keys, reader_.values(form.keys));
  if (own.at("name") == "" && choice) own["name"] = name_after(choice->manifest->id);
  const std::string name = own.at("name");
  const bool enabled = own.at("enabled");
  if (!name.empty()) {
    check_name(name, scorable);
    scorable.named_refiners.push_back(name);
    if (enabled) scorable.refiners.push_back(name);
  }
  if (!choice) return;
  check_inputs(own);
  Json json = choice->json;
  own.erase("enabled");
  json.update(own);
  const std::optional<MapChain> before = chain_ ? std::optional(*chain_) : std::nullopt;
  read_background(*choice, enabled, json);
  if (chain_ && enabled) chain_->refine(*choice->manifest, choice->place);
  if (chain_ && enabled && chain_->lacks_plane()) scorable.without_plane.push_back(name);
  read_network(*choice, enabled, json);
  read_fit(*choice, enabled && before ? &*before : nullptr, json);
  reader_.finish();
  if (enabled) refiners.push_back(std::move(json));
}

void RefinerReading::check_name(const std::string& name, const Scorable& scorable) {
  const Place place = reader_.place_of("name");
  if (!is_name(name)) {
    context_.findings.add(place, "a refiner cannot be called `" + name + "`", "accepted: letters, digits, `_` and `-`");
  } else if (std::ranges::find(kTakenNames, name) != kTakenNames.end()) {
    context_.findings.add(place, "this name is taken by another part of the study: `" + name + "`",
                          "accepted: another name");
  } else if (std::ranges::find(scorable.named_refiners, name) != scorable.named_refiners.end()) {
    context_.findings.add(place, "two refiners are called `" + name + "`", "accepted: `name`, another for each");
  }
}

void RefinerReading::check_inputs(const Json& json) {
  if (json.at("inputs") == Json::array({"main"})) return;
  context_.findings.add(reader_.place_of("inputs"), "refiners of other nodes are not available in this version",
                        "accepted: `inputs = [\"main\"]`");
}

// A plane that the study asks for must fit; one that the method brings along gives way to maps that have theirs.
void RefinerReading::read_background(const MethodChoice& refiner, bool enabled, Json& json) {
  const Node* given = reader_.table("background");
  const Table layers = layered_table({&refiner}, "background", given, context_.findings);
  if (layers.empty() && !given) {
    if (const auto left = enabled && chain_ ? chain_->left_background_for(*refiner.manifest) : std::nullopt) {
      chain_->add_background(refiner.place);
      json["background"] = *left;
    }
    return;
  }
  if (!given && chain_ && (chain_->has_background() || chain_->is_labels())) return;
  const Place place = given ? given->place : refiner.place;
  const auto rule =
      read_rule(layers, place, reader_.path_of("background"), RuleUse::plane, context_.roles, context_.findings);
  if (rule && chain_ && !enabled) chain_->leave_background(*rule);
  if (!enabled) return;
  if (chain_) chain_->add_background(place);
  if (rule) json["background"] = *rule;
}

// A refiner that asks a network may have one of its own.
void RefinerReading::read_network(const MethodChoice& refiner, bool enabled, Json& json) {
  const Node* given = reader_.table("backbone");
  const std::vector<std::string>& needs = refiner.manifest->needs;
  const bool asks_network = refiner.is_fitted() || std::ranges::find(needs, "attention") != needs.end();
  std::optional<MethodChoice> own;
  if (given && !asks_network) {
    context_.findings.add(given->place, "this method asks no network: `" + refiner.manifest->id + "`",
                          "leave `backbone` out");
  } else if (given) {
    own = context_.methods.read_alone(*given, reader_.path_of("backbone"), MethodKind::backbone);
    if (own) json["backbone"] = own->json;
  }
  if (enabled) check_network(refiner, "refiner", given ? &own : backbone_, context_.findings);
}

void RefinerReading::read_fit(const MethodChoice& refiner, const MapChain* before, Json& json) {
  const Node* train = reader_.table("train");
  const Node* labels = reader_.table("labels");
  const Node* companions = reader_.table("companions");
  if (!refiner.is_fitted()) {
    refuse_needless_train(refiner, train, context_.findings);
    return;
  }
  context_.roles.require("train", refiner.place);
  json["train"] =
      read_train(Fitted::refiner, {&refiner}, train, reader_.path_of("train"), context_.roles, context_.findings);
  const Json beside = read_companions(refiner, companions, before, reader_.path_of("companions"), context_);
  if (!beside.empty()) json["companions"] = beside;
  const Table layers = layered_table({&refiner}, "labels", labels, context_.findings);
  if (layers.empty() && !labels) return;
  const auto rule = read_label_rule(layers, labels ? labels->place : refiner.place, reader_.path_of("labels"),
                                    RuleUse::training_labels, before, context_);
  if (!rule) return;
  json["labels"] = *rule;
  if (!before) return;
  MapChain labelled = *before;
  labelled.label(rule->at("rule").get<std::string>(), labels ? labels->place : refiner.place);
}

// What a rule says beside which it is.
Json without_name(Json rule) {
  rule.erase("rule");
  return rule;
}

}  // namespace

Json read_refiners(const Array& given, MapChain* chain, const std::optional<MethodChoice>* backbone,
                   const CellContext& context, Scorable& scorable) {
  Json refiners = Json::array();
  for (const Node& entry : given) RefinerReading(entry, chain, backbone, context).read(scorable, refiners);
  if (!refiners.empty() && !chain && !scorable.seeds) {
    context.findings.add(given.front().place, "there are no maps to refine", "accepted: `[seed_generator]` makes them");
  }
  return refiners;
}

Json read_pseudo_label(const Node& given, MapChain* chain, const CellContext& context) {
  const HostTable& form = host_table("pseudo_label");
  TableReader reader(*given.table(), given.place, "pseudo_label", context.findings);
  Json json = filled(form.keys, reader.values(form.keys));
  const Node* background = reader.table("background");
  if (background) {
    const auto rule = read_label_rule(*background->table(), background->place, reader.path_of("background"),
                                      RuleUse::labels, chain, context);
    const auto left =
        chain && rule && rule->at("rule") == "argmax" ? chain->left_background_for_argmax() : std::nullopt;
    if (rule && chain && !left) chain->label(rule->at("rule").get<std::string>(), background->place);
    if (rule) json["background"] = left.value_or(*rule);
    if (left) json["background"].update(without_name(*rule));
  } else if (chain && !chain->is_labels() && !reader.has("background")) {
    context.findings.add(given.place, "`pseudo_label` lacks `background`",
                         chain->has_background()
                             ? "accepted: `{ rule = \"argmax\" }`"
                             : "accepted: `{ rule = \"threshold\", value = 0.15 }`, or another rule");
  }
  reader.finish();
  return json;
}

void refuse_needless_train(const MethodChoice& choice, const Node* train, Findings& findings) {
  if (!train || choice.may_be_fitted()) return;
  findings.add(train->place, "this method is not trained: `" + choice.manifest->id + "`", "leave `train` out");
}

}  // namespace seedbed::study
