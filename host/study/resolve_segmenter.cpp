#include <algorithm>
#include <utility>

#include "study/compose.hpp"
#include "study/host_tables.hpp"
#include "study/resolve_parts.hpp"
#include "study/resolve_tables.hpp"

namespace seedbed::study {
namespace {

std::optional<MethodChoice> read_part(TableReader& segmenter, const char* key, MethodKind kind,
                                      const CellContext& context) {
  const Node* node = segmenter.table(key);
  return node ? context.methods.read_alone(*node, segmenter.path_of(key), kind) : std::nullopt;
}

// A method of the segmenter that reads what pseudo labels were made of.
void check_needs(const MethodChoice& choice, bool has_pseudo_labels, const CellContext& context) {
  for (const std::string& need : choice.manifest->needs) {
    if ((need != "maps" && need != "confidence") || has_pseudo_labels) continue;
    context.findings.add(choice.place, "`" + choice.manifest->id + "` needs the " + need + " behind pseudo labels",
                         "accepted: `[pseudo_label]` makes them");
  }
}

Json read_loss(const Node& node, std::size_t index, bool has_pseudo_labels, const CellContext& context,
               std::vector<std::string>& names) {
  const HostTable& form = host_table("loss");
  TableReader reader(*node.table(), node.place, "segmenter.loss." + std::to_string(index + 1), context.findings);
  const auto choice = context.methods.read(reader, MethodKind::loss);
  if (!choice) return {};
  check_needs(*choice, has_pseudo_labels, context);
  Json own = filled(form.keys, reader.values(form.keys));
  if (own.at("name") == "") own["name"] = name_after(choice->manifest->id);
  if (std::ranges::find(names, own.at("name").get<std::string>()) != names.end()) {
    context.findings.add(node.place, "two losses are called `" + own.at("name").get<std::string>() + "`",
                         "accepted: `name`, another for each");
  }
  names.push_back(own.at("name"));
  Json json = choice->json;
  json.update(own);
  reader.finish();
  return json;
}

// A strategy that provides `losses` has terms of its own: what the study names comes on top, and nothing by itself.
bool brings_losses(const std::optional<MethodChoice>& strategy) {
  return strategy && std::ranges::find(strategy->manifest->provides, "losses") != strategy->manifest->provides.end();
}

Json read_losses(TableReader& segmenter, bool strategy_has_some, bool has_pseudo_labels, const CellContext& context) {
  const Array* given = segmenter.tables("loss");
  const Place& place = segmenter.place();
  const Array plain{Node{Table{Member{"method", place, Node{std::string("cross_entropy"), place}}}, place}};
  if (segmenter.has("loss") && !given) return Json::array();
  if (!given && strategy_has_some) return Json::array();
  if (given && given->empty() && !strategy_has_some)
    context.findings.add(segmenter.place_of("loss"), "a segmenter has no loss", "accepted: at least one");
  Json losses = Json::array();
  std::vector<std::string> names;
  for (const Node& node : given ? *given : plain) {
    Json loss = read_loss(node, losses.size(), has_pseudo_labels, context, names);
    if (!loss.is_null()) losses.push_back(std::move(loss));
  }
  return losses;
}

void check_labels(TableReader& segmenter, const std::string& labels, bool has_pseudo_labels,
                  const CellContext& context) {
  if (labels == "masks") {
    context.roles.require_masks("train", segmenter.place_of("labels"), "`labels = \"masks\"` needs");
    return;
  }
  context.roles.require("train", segmenter.place());
  if (has_pseudo_labels) return;
  context.findings.add(segmenter.place_of("labels"), "there are no pseudo labels to train the segmenter on",
                       "accepted: `[pseudo_label]` makes them; or `labels = \"masks\"`");
}

}  // namespace

std::optional<Json> read_segmenter(const Node& given, const MethodChoice* backbone, bool has_pseudo_labels,
                                   const CellContext& context) {
  const HostTable& form = host_table("segmenter");
  TableReader reader(*given.table(), given.place, "segmenter", context.findings);
  const Json own = filled(form.keys, reader.values(form.keys));
  const auto own_backbone = read_part(reader, "backbone", MethodKind::backbone, context);
  const auto head = read_part(reader, "head", MethodKind::segmentation_head, context);
  auto strategy = read_part(reader, "strategy", MethodKind::training_strategy, context);
  if (!reader.has("strategy")) {
    strategy =
        context.methods.with_defaults("supervised", given.place, "segmenter.strategy", MethodKind::training_strategy);
  }
  const Json losses = read_losses(reader, brings_losses(strategy), has_pseudo_labels, context);
  const Node* train = reader.table("train");
  reader.finish();

  const MethodChoice* network = own_backbone ? &*own_backbone : backbone;
  if (!network && !reader.has("backbone")) {
    context.findings.add(given.place, "a segmenter needs a backbone",
                         "accepted: `backbone = { method = ID }`, or `[backbone]`");
  }
  if (!head && !reader.has("head")) {
    context.findings.add(given.place, "a segmenter needs a head", "accepted: `head = { method = ID }`");
  }
  if (strategy) check_needs(*strategy, has_pseudo_labels, context);
  const bool enabled = own.at("enabled");
  const std::string labels = own.at("labels");
  if (enabled) check_labels(reader, labels, has_pseudo_labels, context);
  if (!strategy || !head || !network) return enabled ? std::optional(Json::object()) : std::nullopt;
  Json json{{"backbone", network->json}, {"head", head->json}, {"loss", losses}, {"strategy", strategy->json}};
  json["train"] = read_train(Fitted::segmenter, {&*strategy, &*head, network}, train, "segmenter.train", context.roles,
                             context.findings);
  json["labels"] = labels;
  return enabled ? std::optional(std::move(json)) : std::nullopt;
}

}  // namespace seedbed::study
