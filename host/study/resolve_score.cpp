#include <algorithm>
#include <utility>

#include "protocol/metric_names.hpp"
#include "study/compose.hpp"
#include "study/host_tables.hpp"
#include "study/resolve_parts.hpp"
#include "study/resolve_tables.hpp"

namespace seedbed::study {
namespace {

using Texts = std::vector<std::string>;

bool contains(const Texts& texts, const std::string& text) { return std::ranges::find(texts, text) != texts.end(); }

// Place of element `index` of a list of texts.
Place element_place(const Node* list, std::size_t index, const Place& otherwise) {
  const Array* array = list ? list->array() : nullptr;
  return array && index < array->size() ? (*array)[index].place : otherwise;
}

Texts texts_of(TableReader* table, const std::string& name) {
  if (!table) return {};
  const auto& keys = host_table("score").keys;
  const auto value = table->value(*std::ranges::find(keys, name, &ParameterSpec::name));
  return value ? std::get<Texts>(*value) : Texts{};
}

class ScoreReading {
 public:
  // `table` is null where the study has no [score].
  ScoreReading(TableReader* table, const Scorable& scorable, const CellContext& context)
      : table_(table),
        place_(table ? table->place() : context.place),
        scorable_(scorable),
        context_(context),
        roles_(context.roles),
        findings_(context.findings) {}

  Json read() {
    const Texts targets = read_targets();
    const Texts roles = read_roles(targets);
    Json score{{"targets", targets}, {"roles", roles}, {"predictions", read_predictions()}};
    const ParameterSpec& void_key = host_table("score").keys.back();
    const auto void_rule = table_ ? table_->value(void_key) : std::nullopt;
    if (const Texts metrics = read_metrics(); !metrics.empty()) score["metrics"] = metrics;
    score["void"] = to_json(void_rule.value_or(void_key.default_value));
    if (table_) table_->finish();
    return score;
  }

 private:
  bool is_made(const std::string& target) const;
  bool may_be_named(const std::string& target) const;
  bool gets_labels(const std::string& target) const;
  Texts read_targets();
  Texts read_roles(const Texts& targets);
  Texts read_metrics();
  Json read_predictions();
  Json read_prediction(const Node& node, std::size_t index);
  Json read_refiners(TableReader& prediction);

  TableReader* table_;
  Place place_;
  const Scorable& scorable_;
  const CellContext& context_;
  const Roles& roles_;
  Findings& findings_;
};

bool ScoreReading::is_made(const std::string& target) const {
  if (target == "seeds" || target == "image_labels") return scorable_.seeds;
  if (target == "instances") return scorable_.instances;
  if (target == "pseudo_labels") return scorable_.pseudo_labels;
  if (target == "predictions") return scorable_.predictions;
  return contains(scorable_.refiners, target);
}

// A target that another cell of the grid makes is no mistake here; one that the study cannot make is.
bool ScoreReading::may_be_named(const std::string& target) const {
  return is_made(target) || (target == "predictions" && scorable_.segmenter_is_named) ||
         contains(scorable_.named_refiners, target);
}

// Maps are scored as labels too, by the rule of [pseudo_label] where there is one: argmax needs a plane of each.
bool ScoreReading::gets_labels(const std::string& target) const {
  return !scorable_.labels_need_plane || !contains(scorable_.without_plane, target);
}

Texts ScoreReading::read_targets() {
  Texts known{"seeds", "pseudo_labels", "predictions", "image_labels", "instances"};
  known.insert(known.end(), scorable_.named_refiners.begin(), scorable_.named_refiners.end());
  if (!table_ || !table_->has("targets")) {
    Texts all{"seeds"};
    all.insert(all.end(), scorable_.refiners.begin(), scorable_.refiners.end());
    all.insert(all.end(), {"pseudo_labels", "predictions"});
    // The last refiner's maps are those that the pseudo labels are made of.
    if (scorable_.pseudo_labels && !scorable_.refiners.empty()) std::erase(all, scorable_.refiners.back());
    std::erase_if(all, [&](const std::string& target) { return !is_made(target) || !gets_labels(target); });
    return all;
  }
  const Texts named = texts_of(table_, "targets");
  const Node* list = table_->node("targets");
  Texts made;
  for (std::size_t i = 0; i < named.size(); ++i) {
    const Place place = element_place(list, i, place_);
    if (!contains(known, named[i])) {
      findings_.add(place, "there is no such target: `" + named[i] + "`", hint_for(named[i], known));
    } else if (!may_be_named(named[i])) {
      findings_.add(place, "nothing makes what this target names: `" + named[i] + "`",
                    "`seeds` and `image_labels` need [seed_generator], `instances` one that finds objects, "
                    "`pseudo_labels` [pseudo_label], `predictions` [segmenter]");
    } else if (is_made(named[i]) && !gets_labels(named[i])) {
      Texts others = known;
      std::erase_if(others, [&](const std::string& target) { return !is_made(target) || !gets_labels(target); });
      findings_.add(
          place,
          "the rule of [pseudo_label] makes no labels of this target, which has no background plane: `" + named[i] +
              "`",
          "accepted: " + listed(others) + "; `set = { score.targets = [...] }` of a level holds for its cells alone");
    } else if (is_made(named[i]) && !contains(made, named[i])) {
      made.push_back(named[i]);
    }
  }
  return made;
}

Texts ScoreReading::read_roles(const Texts& targets) {
  if (!table_ || !table_->has("roles")) {
    Texts found = roles_.with_masks({"measure", "test"});
    if (found.empty() && !targets.empty() && roles_.are_known()) {
      findings_.add(place_, "there is nothing to score on: neither `measure` nor `test` is a role with masks",
                    "`roles` in [dataset] names them; `roles` in [score] names others");
    }
    return found;
  }
  const Texts named = texts_of(table_, "roles");
  const Node* list = table_->node("roles");
  const bool needs_masks = targets != Texts{"image_labels"};
  Texts legal;
  for (std::size_t i = 0; i < named.size(); ++i) {
    const Place place = element_place(list, i, place_);
    const bool fine =
        needs_masks ? roles_.require_masks(named[i], place, "scoring needs") : roles_.require(named[i], place);
    if (fine && !contains(legal, named[i])) legal.push_back(named[i]);
  }
  return legal;
}

Texts ScoreReading::read_metrics() {
  const Texts named = texts_of(table_, "metrics");
  Texts known;
  for (std::size_t i = 0; i < named.size(); ++i) {
    try {
      const protocol::MetricName name = protocol::metric_name_from(named[i]);
      if (name.definition->of == protocol::MetricOf::causal && !scorable_.asks_classifier)
        findings_.add(
            element_place(table_->node("metrics"), i, place_),
            "this metric asks the classifier that made the seeds, and there is none that is trained: `" + named[i] +
                "`",
            "accepted: a [seed_generator] that provides `logits` and is fitted, or whose backbone has `weights`");
      if (!contains(known, name.text)) known.push_back(name.text);
    } catch (const UserError& error) {
      findings_.add(element_place(table_->node("metrics"), i, place_), error);
    }
  }
  return known;
}

Json ScoreReading::read_predictions() {
  Json predictions = Json::array();
  const Array* given = table_ ? table_->tables("predictions") : nullptr;
  const Node plain{Table{}, place_};
  if (!given) {
    if (scorable_.predictions) predictions.push_back(read_prediction(plain, 0));
    return predictions;
  }
  Texts names;
  for (std::size_t i = 0; i < given->size(); ++i) {
    Json prediction = read_prediction((*given)[i], i);
    const std::string name = prediction.at("name");
    if (contains(names, name)) {
      findings_.add((*given)[i].place, "two predictions have one name: `" + name + "`", "accepted: another `name`");
    }
    names.push_back(name);
    if (scorable_.predictions) predictions.push_back(std::move(prediction));
  }
  return predictions;
}

// "predictions", "predictions_ms_flip_dense_crf".
std::string telling_name(const Json& prediction) {
  std::string name = "predictions";
  const Json& scales = prediction.at("scales");
  if (scales.size() > 1) {
    name += "_ms";
  } else if (scales.at(0) != 1.0) {
    name += "_" + label_of(Node{scales.at(0).get<double>(), {}});
  }
  if (prediction.at("flip").get<bool>()) name += "_flip";
  if (const std::string precision = prediction.at("precision"); precision != "float32") name += "_" + precision;
  for (const Json& refiner : prediction.at("refiners")) name += "_" + refiner.at("name").get<std::string>();
  return name;
}

Json ScoreReading::read_prediction(const Node& node, std::size_t index) {
  const HostTable& form = host_table("prediction");
  TableReader reader(*node.table(), node.place, "score.predictions." + std::to_string(index + 1), findings_);
  Json prediction = filled(form.keys, reader.values(form.keys));
  check_input(prediction.at("input"), reader.place_of("input"), findings_);
  prediction["refiners"] = read_refiners(reader);
  if (prediction.at("name") == "") prediction["name"] = telling_name(prediction);
  reader.finish();
  return prediction;
}

Json ScoreReading::read_refiners(TableReader& prediction) {
  const Array* given = prediction.tables("refiners");
  if (!given) return Json::array();
  MapChain chain(predicted_maps(), "segmenter", /*ends_in_argmax=*/true, findings_);
  Json refiners = read_chain(*given, &chain, prediction.path_of("refiners"), "predictions", context_);
  if (chain.is_labels() || chain.has_background()) return refiners;
  chain.label("argmax", given->back().place);
  return refiners;
}

}  // namespace

Json read_score(const Node* given, const Scorable& scorable, const CellContext& context) {
  if (!given) return ScoreReading(nullptr, scorable, context).read();
  TableReader table(*given->table(), given->place, "score", context.findings);
  return ScoreReading(&table, scorable, context).read();
}

}  // namespace seedbed::study
