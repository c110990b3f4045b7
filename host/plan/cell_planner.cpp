#include "plan/cell_planner.hpp"

#include <algorithm>
#include <set>
#include <utility>

#include "plan/stage_keys.hpp"
#include "protocol/metric_names.hpp"
#include "protocol/revisions.hpp"
#include "seedbed/error.hpp"

namespace seedbed::plan {

using protocol::MethodBinding;
using protocol::StageType;

Json StageTable::key_parts(const Draft& draft, const Cell& cell) {
  const dataset::Dataset& data = *plan_.datasets[cell.dataset];
  const std::string policy = cell.execution.value("key_policy", "revision");
  Json parts{{"type", name_of(draft.type)},
             {"operation", draft.operation},
             {"host_revision", protocol::host_revision(draft.type, draft.operation)},
             {"methods", Json::object()},
             {"settings", draft.settings},
             {"inputs", Json::object()},
             {"images", digests_.images(data, draft.image_ids, draft.contents)},
             {"classes", digests_.classes(data)}};
  for (const auto& [slot, binding] : draft.methods) {
    parts["methods"][slot] = bindings_.key_part(binding, policy == "binary");
  }
  for (const auto& [name, stage] : draft.inputs) parts["inputs"][name] = plan_.stages[stage].spec.key;
  for (const auto& [what, images] : draft.other_images) {
    parts["other_images"][what] = digests_.images(data, data.role(images.first).image_ids, images.second);
  }
  if (draft.draws_numbers) parts["random_seed"] = cell.random_seed;
  if (draft.computes_floats) {
    parts["threads"] = cell.execution.at("threads");
    parts["memory_layout"] = cell.execution.value("memory_layout", "contiguous");
  }
  return parts;
}

std::size_t StageTable::add(Draft draft, const Cell& cell) {
  Json parts = key_parts(draft, cell);
  const std::string key = stage_key(parts);
  if (const auto known = by_key_.find(key); known != by_key_.end()) {
    PlannedStage& stage = plan_.stages[known->second];
    stage.keep_requested = stage.keep_requested || draft.keep;
    return known->second;
  }
  PlannedStage stage;
  stage.dataset = cell.dataset;
  stage.device = cell.execution.value("device", "cpu");
  stage.threads = cell.execution.at("threads").get<std::int64_t>();
  stage.deterministic = cell.execution.value("deterministic", true);
  stage.keep_requested = draft.keep;
  protocol::StageSpec& spec = stage.spec;
  spec.key = key;
  spec.type = draft.type;
  spec.operation = draft.operation;
  spec.node = draft.node;
  spec.role = draft.role;
  spec.image_ids = std::move(draft.image_ids);
  for (const auto& [what, images] : draft.other_images) {
    spec.other_images[what] = {images.first, plan_.datasets[cell.dataset]->role(images.first).image_ids};
  }
  spec.methods = std::move(draft.methods);
  spec.settings = std::move(draft.settings);
  if (draft.draws_numbers) spec.random_seed = cell.random_seed;
  for (const auto& [name, input] : draft.inputs) {
    spec.inputs.push_back({name, plan_.stages[input].spec.key});
    stage.inputs.push_back(input);
  }
  store::StageRecord& record = stage.record;
  record.key = key;
  record.type = spec.type;
  record.operation = spec.operation;
  record.node = spec.node;
  record.role = spec.role;
  record.label = std::string(name_of(spec.type)) + " " + spec.node + " on " + spec.role;
  record.key_parts = std::move(parts);
  record.random_seed = spec.random_seed;
  record.inputs = spec.inputs;
  record.methods = spec.methods;
  record.num_images = static_cast<std::int64_t>(spec.image_ids.size());
  record.images_limit = cell.images_limit;
  plan_.stages.push_back(std::move(stage));
  by_key_[key] = plan_.stages.size() - 1;
  return plan_.stages.size() - 1;
}

namespace {

using Draft = StageTable::Draft;

// Maps of a node on the images of a role; `role` may be a larger one whose images contain them.
struct MapSource {
  std::size_t stage = 0;
  bool has_background = false;
  bool is_labels = false;
  bool holds_probabilities = false;
};

class CellPlanner {
 public:
  CellPlanner(const Json& resolved, const StageTable::Cell& cell, StageTable& table)
      : resolved_(resolved), cell_(cell), table_(table), data_(*table.plan().datasets[cell.dataset]) {}

  std::vector<store::CellStage> plan() {
    bind_methods();
    find_roles();
    for (const Json& role : resolved_.at("score").at("roles")) {
      for (const Json& target : resolved_.at("score").at("targets")) score_target(target, role);
    }
    keep_what_was_asked_for();
    return stages_;
  }

 private:
  void find_roles();
  bool reads_training_maps(std::size_t index) const;
  void bind_methods();
  void keep_what_was_asked_for();
  void score_target(const std::string& target, const std::string& role);
  void score_predictions(const std::string& role);
  void score_maps(const std::string& target, const std::string& node, const std::string& role);

  void add_train(Json train, std::vector<std::string> shown_to_validation, Draft& fit) const;
  std::size_t fit_generator();
  std::size_t fit_refiner(std::size_t index);
  void add_companions(const Json& entry, MapSource maps, Draft& fit);
  std::size_t fit_segmenter();
  MapSource seeds(const std::string& role);
  MapSource refined(std::size_t count, const std::string& role);
  MapSource node_maps(const std::string& node, const std::string& role);
  std::size_t add_refinement(const Json& entry, const MethodBinding& binding, MapSource input, const std::string& node,
                             const std::string& role, std::optional<std::size_t> checkpoint);
  std::size_t labels(const std::string& node, const std::string& role);
  std::size_t add_labels(const Json& rule, MapSource maps, const std::string& node, const std::string& role);
  std::size_t add_run(const Json& rule, const Json& refiners, MapSource maps, const std::string& node,
                      const std::string& role);
  MapSource prediction(const Json& entry, const std::string& role);
  std::size_t choose(const std::string& node);

  Json rule_settings(bool maps_have_background) const;
  void add_score(Draft draft, const std::string& purpose);
  std::vector<std::string> asked_metrics(std::initializer_list<protocol::MetricOf> kinds) const;
  void score_values_of_maps(const MapSource& maps, const std::string& target, const std::string& role);
  void score_causal(const MapSource& maps, const std::string& target, const std::string& role);
  Draft draft(StageType type, std::string operation, std::string node, const std::string& role) const;
  std::vector<std::string> shown(const MethodBinding& binding, bool with_image_labels) const;
  std::string covering_role(const std::string& role) const;
  bool segmenter_needs(std::string_view need) const;
  std::optional<MethodBinding> backbone_of(const Json& entry) const;
  bool has(const char* table) const { return resolved_.contains(table); }
  std::size_t num_refiners() const { return has("refiners") ? resolved_.at("refiners").size() : 0; }
  std::string refiner_name(std::size_t index) const { return resolved_.at("refiners").at(index).at("name"); }

  const Json& resolved_;
  const StageTable::Cell& cell_;
  StageTable& table_;
  const dataset::Dataset& data_;
  std::vector<std::string> per_image_roles_;  // every role that a per-image stage of this cell may serve
  std::optional<MethodBinding> backbone_, generator_;
  std::vector<MethodBinding> refiners_;
  std::map<std::string, MethodBinding> segmenter_;  // "backbone", "head", "strategy", "loss.NAME"
  std::vector<store::CellStage> stages_;
};

void CellPlanner::find_roles() {
  for (const Json& role : resolved_.at("score").at("roles")) per_image_roles_.push_back(role);
  if (has("segmenter") && resolved_.at("segmenter").value("labels", "pseudo_labels") == "pseudo_labels") {
    per_image_roles_.push_back("train");
  }
  for (std::size_t i = 0; i < num_refiners(); ++i) {
    if (reads_training_maps(i)) per_image_roles_.push_back("train");
  }
}

// Whether a refiner is fitted to what the chain before it makes of the training images.
bool CellPlanner::reads_training_maps(std::size_t index) const {
  const Json& entry = resolved_.at("refiners")[index];
  if (!entry.contains("train")) return false;
  const std::vector<std::string>& needs = table_.bindings().manifest_of(refiners_[index]).needs;
  return entry.contains("labels") || entry.contains("companions") || std::ranges::find(needs, "maps") != needs.end();
}

void CellPlanner::bind_methods() {
  Bindings& bindings = table_.bindings();
  if (has("backbone")) backbone_ = bindings.bind(resolved_.at("backbone"));
  if (has("seed_generator")) generator_ = bindings.bind(resolved_.at("seed_generator"));
  for (std::size_t i = 0; i < num_refiners(); ++i) refiners_.push_back(bindings.bind(resolved_.at("refiners")[i]));
  if (!has("segmenter")) return;
  const Json& segmenter = resolved_.at("segmenter");
  for (const char* part : {"backbone", "head", "strategy"}) segmenter_[part] = bindings.bind(segmenter.at(part));
  for (const Json& loss : segmenter.at("loss")) {
    segmenter_["loss." + loss.at("name").get<std::string>()] = bindings.bind(loss);
  }
}

Draft CellPlanner::draft(StageType type, std::string operation, std::string node, const std::string& role) const {
  Draft draft;
  draft.type = type;
  draft.operation = std::move(operation);
  draft.node = std::move(node);
  draft.role = role;
  draft.image_ids = data_.role(role).image_ids;
  draft.contents = {"image"};
  return draft;
}

// Side inputs that a rule opens.
std::vector<std::string> opened_by(const Json& rule) {
  if (!rule.is_object() || rule.value("rule", "") != "saliency") return {};
  return {"side:" + rule.at("side").get<std::string>()};
}

void add_contents(std::vector<std::string>& contents, const std::vector<std::string>& more) {
  for (const std::string& content : more) {
    if (std::ranges::find(contents, content) == contents.end()) contents.push_back(content);
  }
}

// What of the images a method sees: the image, and what its manifest declares.
std::vector<std::string> CellPlanner::shown(const MethodBinding& binding, bool with_image_labels) const {
  const Supervision& supervision = table_.bindings().manifest_of(binding).supervision;
  std::vector<std::string> contents{"image"};
  if (with_image_labels) contents.push_back("image_labels");
  if (supervision.labels.contains("masks")) contents.push_back("mask");
  for (const std::string& side : supervision.side_inputs) contents.push_back("side:" + side);
  return contents;
}

// Artefacts are per image, so a role whose images lie within another's needs no run of its own.
std::string CellPlanner::covering_role(const std::string& role) const {
  const std::vector<std::string>& own = data_.role(role).image_ids;
  std::string covering = role;
  std::size_t most = own.size();
  for (const std::string& candidate : per_image_roles_) {
    const std::vector<std::string>& ids = data_.role(candidate).image_ids;
    if (ids.size() <= most) continue;
    const std::set<std::string> members(ids.begin(), ids.end());
    const bool contains = std::all_of(own.begin(), own.end(), [&](const auto& id) { return members.contains(id); });
    if (contains) {
      covering = candidate;
      most = ids.size();
    }
  }
  return covering;
}

// A refiner that is trained, or asks a network for its attention, may have one of its own.
std::optional<MethodBinding> CellPlanner::backbone_of(const Json& entry) const {
  return entry.contains("backbone") ? table_.bindings().bind(entry.at("backbone")) : backbone_;
}

// The settings of a fit. Roles stand beside the images that they are for: their names are no part of a key.
void CellPlanner::add_train(Json train, std::vector<std::string> shown_to_validation, Draft& fit) const {
  if (train.contains("validate")) {
    Json& validate = train["validate"];
    const bool by_masks = validate.at("metric") == "miou_union";
    shown_to_validation.push_back(by_masks ? "mask" : "image_labels");
    fit.other_images["validate"] = {validate.at("on").get<std::string>(), std::move(shown_to_validation)};
    validate.erase("on");
  }
  if (train.contains("streams")) {
    for (auto& [name, stream] : train["streams"].items()) {
      fit.other_images["stream:" + name] = {stream.at("role").get<std::string>(), {"image"}};
      stream.erase("role");
    }
  }
  fit.settings = std::move(train);
}

std::size_t CellPlanner::fit_generator() {
  Draft fit = draft(StageType::fit, "seed_generator", "seed_generator", "train");
  fit.contents = shown(*generator_, true);
  fit.methods = {{"generator", *generator_}};
  if (backbone_) fit.methods["backbone"] = *backbone_;
  add_train(resolved_.at("seed_generator").at("train"), shown(*generator_, true), fit);
  fit.draws_numbers = true;
  return table_.add(std::move(fit), cell_);
}

MapSource CellPlanner::seeds(const std::string& role) {
  const Json& table = resolved_.at("seed_generator");
  Draft map = draft(StageType::map, "seeds", "seeds", covering_role(role));
  map.settings = table.at("localise");
  map.contents = shown(*generator_, map.settings.value("labels", "given") == "given");
  map.methods = {{"generator", *generator_}};
  if (backbone_) map.methods["backbone"] = *backbone_;
  if (table.contains("train")) map.inputs.emplace_back("checkpoint", fit_generator());
  map.draws_numbers = table_.bindings().has_trait(*generator_, "random");
  return {table_.add(std::move(map), cell_), false, false};
}

std::size_t CellPlanner::fit_refiner(std::size_t index) {
  const Json& entry = resolved_.at("refiners")[index];
  Draft fit = draft(StageType::fit, "refiner", refiner_name(index), "train");
  fit.contents = shown(refiners_[index], true);
  fit.methods = {{"refiner", refiners_[index]}};
  if (const auto backbone = backbone_of(entry)) fit.methods["backbone"] = *backbone;
  add_train(entry.at("train"), {}, fit);
  const MapSource maps = refined(index, "train");
  const std::vector<std::string>& needs = table_.bindings().manifest_of(refiners_[index]).needs;
  if (std::ranges::find(needs, "maps") != needs.end()) {
    fit.inputs.emplace_back("maps", maps.stage);
    fit.settings["background"] = entry.value("background", Json());
    add_contents(fit.contents, opened_by(fit.settings.at("background")));
  }
  if (entry.contains("labels")) {
    fit.inputs.emplace_back("labels", add_labels(entry.at("labels"), maps, refiner_name(index), "train"));
  }
  add_companions(entry, maps, fit);
  fit.draws_numbers = true;
  return table_.add(std::move(fit), cell_);
}

// What comes with the training images of a refiner: `maps`, through the chain and the rule of each companion.
void CellPlanner::add_companions(const Json& entry, MapSource maps, Draft& fit) {
  const Json companions = entry.value("companions", Json::object());
  const std::string owner = entry.at("name");
  for (const auto& [name, companion] : companions.items()) {
    MapSource source = maps;
    const std::string node = owner + "." + name;
    for (const Json& refiner : companion.at("refiners")) {
      const MethodBinding binding = table_.bindings().bind(refiner);
      source.stage = add_refinement(refiner, binding, source, node, "train", std::nullopt);
      source.is_labels = table_.bindings().manifest_of(binding).gives.form == "labels";
    }
    if (companion.contains("background")) {
      fit.settings["companions"][name]["background"] = companion.at("background");
      add_contents(fit.contents, opened_by(companion.at("background")));
    }
    if (companion.contains("labels")) {
      source.stage = add_labels(companion.at("labels"), source, node, "train");
      source.is_labels = true;
    }
    fit.inputs.emplace_back((source.is_labels ? "labels:" : "maps:") + name, source.stage);
  }
}

// What a source gives once a refiner has had it; `stage` is set by whoever adds the refinement.
void become(MapSource& source, const MapType& gives, bool background_added) {
  source.has_background =
      gives.background == "present" || (gives.background == "same" && (source.has_background || background_added));
  source.is_labels = gives.form == "labels";
  if (gives.value == "probability" || gives.value == "evidence")
    source.holds_probabilities = gives.value == "probability";
}

std::size_t CellPlanner::add_refinement(const Json& entry, const MethodBinding& binding, MapSource input,
                                        const std::string& node, const std::string& role,
                                        std::optional<std::size_t> checkpoint) {
  Draft map = draft(StageType::map, "refine", node, covering_role(role));
  map.contents = shown(binding, true);
  map.methods = {{"refiner", binding}};
  const std::vector<std::string>& needs = table_.bindings().manifest_of(binding).needs;
  const bool asks_network = checkpoint || std::ranges::find(needs, "attention") != needs.end();
  if (const auto backbone = asks_network ? backbone_of(entry) : std::nullopt) map.methods["backbone"] = *backbone;
  map.settings = {{"background", entry.value("background", Json(nullptr))}};
  add_contents(map.contents, opened_by(map.settings.at("background")));
  map.inputs.emplace_back("maps", input.stage);
  if (checkpoint) map.inputs.emplace_back("checkpoint", *checkpoint);
  map.draws_numbers = table_.bindings().has_trait(binding, "random");
  map.keep = entry.value("keep", "none") == "file";
  return table_.add(std::move(map), cell_);
}

// The maps behind the first `count` refiners.
MapSource CellPlanner::refined(std::size_t count, const std::string& role) {
  MapSource source = seeds(role);
  for (std::size_t i = 0; i < count; ++i) {
    const Json& entry = resolved_.at("refiners")[i];
    std::optional<std::size_t> checkpoint;
    if (entry.contains("train")) checkpoint = fit_refiner(i);
    const bool background_added = entry.contains("background") && !entry.at("background").is_null();
    source.stage = add_refinement(entry, refiners_[i], source, refiner_name(i), role, checkpoint);
    become(source, table_.bindings().manifest_of(refiners_[i]).gives, background_added);
  }
  return source;
}

MapSource CellPlanner::node_maps(const std::string& node, const std::string& role) {
  if (node == "seeds") return seeds(role);
  if (node == "pseudo_labels") return refined(num_refiners(), role);
  for (std::size_t i = 0; i < num_refiners(); ++i) {
    if (refiner_name(i) == node) return refined(i + 1, role);
  }
  throw ContractError("study", "score targets are nodes of the cell", "seeds, pseudo_labels or a refiner",
                      "`" + node + "`");
}

std::size_t CellPlanner::choose(const std::string& node) {
  const Json& choose = resolved_.at("pseudo_label").at("background").at("choose");
  const std::string role = choose.at("on");
  const MapSource maps = node_maps(node, role);
  Draft draft_ = draft(StageType::choose, "threshold", node, role);
  draft_.contents = {"mask"};
  draft_.settings = choose;
  draft_.settings["rule"] = resolved_.at("pseudo_label").at("background").at("rule");
  draft_.inputs.emplace_back("maps", maps.stage);
  draft_.computes_floats = false;
  return table_.add(std::move(draft_), cell_);
}

// The rule as the label stage gets it; a chosen value comes through its input "chosen".
Json CellPlanner::rule_settings(bool maps_have_background) const {
  const Json rule = has("pseudo_label") ? resolved_.at("pseudo_label").value("background", Json()) : Json();
  const bool is_argmax = rule.is_null() || rule.at("rule") == "argmax";
  // With a plane its argmax is all that a rule can be; what the study says beside that holds.
  if (rule.is_null() || maps_have_background != is_argmax) return Json{{"rule", "argmax"}};
  return rule;
}

std::size_t CellPlanner::labels(const std::string& node, const std::string& role) {
  const MapSource maps = node_maps(node, role);
  if (maps.is_labels) return maps.stage;
  const std::string label_node = node == "seeds" ? "seed_labels" : node;
  const Json rule = rule_settings(maps.has_background);
  if (!rule.contains("choose")) return add_labels(rule, maps, label_node, role);
  Draft map = draft(StageType::map, "label", label_node, covering_role(role));
  map.settings = rule;
  map.inputs = {{"maps", maps.stage}, {"chosen", choose(node)}};
  map.contents = {};
  return table_.add(std::move(map), cell_);
}

// One of the two backgrounds of a rule of two: the strong one leaves sure classes, the weak one sure background.
Json run_of(const Json& rule, bool strong) {
  if (rule.at("rule") == "two_powers")
    return {{"rule", "power"}, {"alpha", rule.at(strong ? "alpha_low" : "alpha_high")}};
  return {{"rule", "threshold"}, {"value", rule.at(strong ? "high" : "low")}};
}

// Labels of one run: refined as labels, or as maps with the run's background plane.
std::size_t CellPlanner::add_run(const Json& rule, const Json& refiners, MapSource maps, const std::string& node,
                                 const std::string& role) {
  MapSource source = maps;
  const auto takes_labels = [&](const Json& refiner) {
    return table_.bindings().manifest_of(table_.bindings().bind(refiner)).takes.form == "labels";
  };
  bool plane_wanted = !refiners.empty() && !takes_labels(refiners.front());
  if (!plane_wanted) source = {add_labels(rule, maps, node, role), false, true};
  for (Json refiner : refiners) {
    if (plane_wanted) refiner["background"] = rule;
    plane_wanted = false;
    const MethodBinding binding = table_.bindings().bind(refiner);
    source.stage = add_refinement(refiner, binding, source, node, role, std::nullopt);
    source.is_labels = table_.bindings().manifest_of(binding).gives.form == "labels";
  }
  return source.is_labels ? source.stage : add_labels({{"rule", "argmax"}}, source, node, role);
}

// Labels by a rule with its numbers: one stage, or two runs through refiners that are then compared.
std::size_t CellPlanner::add_labels(const Json& rule, MapSource maps, const std::string& node,
                                    const std::string& role) {
  if (!rule.contains("refiners")) {
    Draft map = draft(StageType::map, "label", node, covering_role(role));
    map.settings = rule;
    map.inputs = {{"maps", maps.stage}};
    map.contents = opened_by(rule);
    return table_.add(std::move(map), cell_);
  }
  Draft agree = draft(StageType::map, "agree", node, covering_role(role));
  for (const bool strong : {true, false}) {
    const std::string run = strong ? "strong" : "weak";
    agree.inputs.emplace_back(run, add_run(run_of(rule, strong), rule.at("refiners"), maps, node + "." + run, role));
  }
  agree.settings = {{"background_wins", rule.at("background_wins")}, {"doubtful", rule.value("doubtful", "ignore")}};
  agree.contents = {};
  agree.computes_floats = false;
  return table_.add(std::move(agree), cell_);
}

// A strategy or a loss may ask for what the pseudo labels were made of.
bool CellPlanner::segmenter_needs(std::string_view need) const {
  return std::ranges::any_of(segmenter_, [&](const auto& part) {
    const std::vector<std::string>& needs = table_.bindings().manifest_of(part.second).needs;
    return std::ranges::find(needs, need) != needs.end();
  });
}

std::size_t CellPlanner::fit_segmenter() {
  const Json& segmenter = resolved_.at("segmenter");
  const bool from_masks = segmenter.value("labels", "pseudo_labels") == "masks";
  Draft fit = draft(StageType::fit, "segmenter", "segmenter", "train");
  if (from_masks) fit.contents.push_back("mask");
  for (const auto& [part, binding] : segmenter_) {
    const Supervision& supervision = table_.bindings().manifest_of(binding).supervision;
    add_contents(fit.contents, shown(binding, supervision.labels.contains("image_labels")));
  }
  fit.methods = segmenter_;
  add_train(segmenter.at("train"), {"image"}, fit);
  fit.settings["label_source"] = from_masks ? "masks" : "pseudo_labels";
  fit.settings["losses"] = Json::array();
  for (const Json& loss : segmenter.at("loss")) {
    fit.settings["losses"].push_back({{"name", loss.at("name")}, {"weight", loss.at("weight")}});
  }
  if (!from_masks) fit.inputs.emplace_back("labels", labels("pseudo_labels", "train"));
  if (segmenter_needs("maps")) fit.inputs.emplace_back("maps", node_maps("pseudo_labels", "train").stage);
  fit.draws_numbers = true;
  return table_.add(std::move(fit), cell_);
}

MapSource CellPlanner::prediction(const Json& entry, const std::string& role) {
  Draft map = draft(StageType::map, "predict", "segmenter", covering_role(role));
  map.methods = segmenter_;
  map.settings = entry;
  map.settings.erase("refiners");
  map.settings.erase("name");
  map.inputs.emplace_back("checkpoint", fit_segmenter());
  MapSource source{.stage = table_.add(std::move(map), cell_),
                   .has_background = true,
                   .is_labels = false,
                   .holds_probabilities = true};
  for (const Json& refiner : entry.value("refiners", Json::array())) {
    const MethodBinding binding = table_.bindings().bind(refiner);
    const std::string node = refiner.value("name", binding.id);
    source.stage = add_refinement(refiner, binding, source, node, role, std::nullopt);
    become(source, table_.bindings().manifest_of(binding).gives, false);
  }
  return source;
}

void CellPlanner::add_score(Draft draft, const std::string& purpose) {
  draft.computes_floats = false;
  const std::size_t stage = table_.add(std::move(draft), cell_);
  stages_.push_back({table_.plan().stages[stage].spec.key, purpose});
}

// The names in [score] that are of these kinds.
std::vector<std::string> CellPlanner::asked_metrics(std::initializer_list<protocol::MetricOf> kinds) const {
  std::vector<std::string> asked;
  for (const auto& name :
       protocol::metric_names_from(resolved_.at("score").value("metrics", std::vector<std::string>())))
    if (std::ranges::find(kinds, name.definition->of) != kinds.end()) asked.push_back(name.text);
  return asked;
}

void set_metrics(Draft& score, const std::vector<std::string>& names) {
  if (!names.empty()) score.settings["metrics"] = names;
}

// What is measured without making labels: where maps lie, or how sure they are.
void CellPlanner::score_values_of_maps(const MapSource& maps, const std::string& target, const std::string& role) {
  if (maps.is_labels || (maps.has_background && !maps.holds_probabilities)) return;
  using protocol::MetricOf;
  const std::vector<std::string> names =
      maps.has_background ? asked_metrics({MetricOf::probabilities})
                          : asked_metrics({MetricOf::maps, MetricOf::boxes, MetricOf::annotated_boxes});
  if (names.empty()) return;
  Draft score = draft(StageType::score, "maps", target, role);
  score.contents = {"mask"};
  if (!maps.has_background) {
    if (!asked_metrics({MetricOf::boxes}).empty()) score.contents.push_back("instances");
    if (!asked_metrics({MetricOf::annotated_boxes}).empty()) score.contents.push_back("boxes");
  }
  score.settings = {{"target", target}};
  set_metrics(score, names);
  score.inputs.emplace_back("maps", maps.stage);
  add_score(std::move(score), "maps:" + target + "@" + role);
}

// Whether the classifier goes by what the maps mark: it is asked again, with the checkpoint that made the seeds.
void CellPlanner::score_causal(const MapSource& maps, const std::string& target, const std::string& role) {
  const std::vector<std::string> names = asked_metrics({protocol::MetricOf::causal});
  if (names.empty()) return;
  const Json& table = resolved_.at("seed_generator");
  Draft score = draft(StageType::score, "causal", target, role);
  score.contents = shown(*generator_, true);
  score.methods = {{"generator", *generator_}};
  if (backbone_) score.methods["backbone"] = *backbone_;
  score.settings = {{"target", target}};
  for (const char* key : {"input", "precision"})
    if (table.at("localise").contains(key)) score.settings[key] = table.at("localise").at(key);
  set_metrics(score, names);
  score.inputs.emplace_back("maps", maps.stage);
  if (table.contains("train")) score.inputs.emplace_back("checkpoint", fit_generator());
  score.draws_numbers = table_.bindings().has_trait(*generator_, "random");
  const std::size_t stage = table_.add(std::move(score), cell_);
  stages_.push_back({table_.plan().stages[stage].spec.key, "causal:" + target + "@" + role});
}

// The sweep over all thresholds (its best value is an oracle), and the study's own rule.
void CellPlanner::score_maps(const std::string& target, const std::string& node, const std::string& role) {
  const MapSource maps = node_maps(node, role);
  const std::string void_rule = resolved_.at("score").value("void", "background");
  const std::string at_role = target + "@" + role;
  if (!maps.is_labels && !maps.has_background) {
    Draft sweep = draft(StageType::score, "sweep", target, role);
    sweep.contents = {"mask"};
    sweep.settings = {{"target", target}, {"background", "threshold"}};
    set_metrics(sweep, asked_metrics({protocol::MetricOf::counts}));
    sweep.inputs.emplace_back("maps", maps.stage);
    add_score(std::move(sweep), "sweep:" + at_role);
    score_causal(maps, target, role);
  }
  score_values_of_maps(maps, target, role);
  if (!has("pseudo_label") && !maps.is_labels && !maps.has_background) return;
  Draft score = draft(StageType::score, "labels", target, role);
  score.contents = {"mask"};
  const Json rule = maps.is_labels ? Json{{"rule", "argmax"}} : rule_settings(maps.has_background);
  score.settings = {{"target", target}, {"void", void_rule}, {"rule", rule}};
  set_metrics(score, asked_metrics({protocol::MetricOf::counts, protocol::MetricOf::outlines}));
  if (rule.contains("choose") && rule.at("choose").at("on") == role) score.settings["oracle"] = true;
  score.inputs.emplace_back("labels", labels(node, role));
  if (rule.contains("choose")) score.inputs.emplace_back("chosen", choose(node));
  add_score(std::move(score), "score:" + at_role);
}

void CellPlanner::score_predictions(const std::string& role) {
  const Json& score_table = resolved_.at("score");
  for (const Json& entry : score_table.at("predictions")) {
    const std::string name = entry.at("name");
    const MapSource source = prediction(entry, role);
    std::size_t label_stage = source.stage;
    if (!source.is_labels) {
      Draft label = draft(StageType::map, "label", name, covering_role(role));
      label.settings = {{"rule", "argmax"}};
      label.inputs.emplace_back("maps", source.stage);
      label.contents = {};
      label_stage = table_.add(std::move(label), cell_);
    }
    Draft score = draft(StageType::score, "labels", name, role);
    score.contents = {"mask"};
    score.settings = {
        {"target", name}, {"void", score_table.value("void", "background")}, {"rule", {{"rule", "argmax"}}}};
    set_metrics(score, asked_metrics({protocol::MetricOf::counts, protocol::MetricOf::outlines}));
    // Masks that reached training make the number an upper bound: marked like a threshold chosen on what is scored.
    if (resolved_.at("segmenter").value("labels", "pseudo_labels") == "masks") score.settings["oracle"] = true;
    score.inputs.emplace_back("labels", label_stage);
    add_score(std::move(score), "score:" + name + "@" + role);
    score_values_of_maps(source, name, role);
  }
}

void CellPlanner::score_target(const std::string& target, const std::string& role) {
  if (target == "predictions") return score_predictions(role);
  if (target == "image_labels") {
    Draft score = draft(StageType::score, "classification", "image_labels", role);
    score.contents = {"image_labels"};
    score.settings = {{"target", target}};
    score.inputs.emplace_back("maps", seeds(role).stage);
    return add_score(std::move(score), "score:image_labels@" + role);
  }
  if (target == "instances") {
    Draft score = draft(StageType::score, "instances", "instances", role);
    score.contents = {"mask", "instances"};
    score.settings = {{"target", target}};
    score.inputs.emplace_back("maps", seeds(role).stage);
    return add_score(std::move(score), "score:instances@" + role);
  }
  score_maps(target, target, role);
}

// `keep = "file"` on the seeds or the pseudo labels keeps them for every role that the cell touches.
void CellPlanner::keep_what_was_asked_for() {
  const auto keep = [&](const char* table) {
    return has(table) && resolved_.at(table).value("keep", "none") == "file";
  };
  for (const Json& role : resolved_.at("score").at("roles")) {
    if (keep("seed_generator")) table_.plan().stages[seeds(role).stage].keep_requested = true;
    if (keep("pseudo_label")) table_.plan().stages[labels("pseudo_labels", role)].keep_requested = true;
  }
}

}  // namespace

std::vector<store::CellStage> plan_cell(const Json& resolved, const StageTable::Cell& cell, StageTable& table) {
  return CellPlanner(resolved, cell, table).plan();
}

}  // namespace seedbed::plan
