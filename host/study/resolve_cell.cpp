#include "study/resolve_cell.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <utility>

#include "study/host_tables.hpp"
#include "study/resolve_parts.hpp"
#include "study/resolve_tables.hpp"

namespace seedbed::study {
namespace {

// Tables of a cell, in the order of RESOLVED.md.
constexpr std::array<std::string_view, 9> kOrder{"schema",   "dataset",      "execution", "backbone", "seed_generator",
                                                 "refiners", "pseudo_label", "segmenter", "score"};

bool is_device(std::string_view text) {
  if (text == "auto" || text == "cpu" || text == "cuda") return true;
  if (!text.starts_with("cuda:") || text.size() < 6 || text.size() > 8) return false;
  return std::ranges::all_of(text.substr(5), [](unsigned char c) { return std::isdigit(c) != 0; });
}

// Needs that only a network can serve; the rest (raw images, side inputs) comes from the host.
bool is_need_of_backbone(std::string_view need) {
  return need.starts_with("taps:") || need == "attention" || need == "text";
}

class CellReading {
 public:
  CellReading(TableReader& root, const dataset::Dataset* data, const MethodReader& methods, Findings& findings)
      : root_(root), roles_(data, findings), context_{methods, roles_, findings, root.place()} {
    parts_["schema"] = 1;
    parts_["dataset"] = data ? data->table() : Json::object();
  }

  Json read() {
    read_execution_of_cell();
    read_generator();
    read_backbone();
    read_maps();
    read_segmenter_of_cell();
    parts_["score"] = read_score(root_.table("score"), scorable_, context_);
    Json resolved = Json::object();
    for (const std::string_view part : kOrder) {
      if (const auto found = parts_.find(part); found != parts_.end())
        resolved[found->first] = std::move(found->second);
    }
    return resolved;
  }

 private:
  void read_execution_of_cell();
  void read_generator();
  void read_backbone();
  const std::optional<MethodChoice>* backbone() const { return root_.has("backbone") ? &backbone_ : nullptr; }
  bool asks_classifier() const;
  void read_maps();
  void read_segmenter_of_cell();

  TableReader& root_;
  Roles roles_;
  CellContext context_;
  std::map<std::string, Json, std::less<>> parts_;
  std::optional<MethodChoice> generator_, backbone_;
  Scorable scorable_;
};

// How many workers there are changes no number, so it is no part of a cell.
void CellReading::read_execution_of_cell() {
  Json execution = read_execution(root_.table("execution"), context_.findings);
  execution.erase("workers");
  execution.erase("isolation");
  parts_["execution"] = std::move(execution);
}

void CellReading::read_generator() {
  const Node* table = root_.table("seed_generator");
  if (!table) return;
  scorable_.seeds = true;
  const HostTable& form = host_table("seed_generator");
  TableReader reader(*table->table(), table->place, "seed_generator", context_.findings);
  generator_ = context_.methods.read(reader, MethodKind::seed_generator);
  if (!generator_) return;
  scorable_.instances = generator_->has_trait("instances");
  Json json = generator_->json;
  const Node* train = reader.table("train");
  if (generator_->is_fitted()) {
    json["train"] =
        read_train(Fitted::seed_generator, {&*generator_}, train, "seed_generator.train", roles_, context_.findings);
    roles_.require("train", generator_->place);
  } else {
    refuse_needless_train(*generator_, train, context_.findings);
  }
  json["localise"] = read_localise(*generator_, reader.table("localise"), "seed_generator.localise", context_.findings);
  json.update(filled(form.keys, reader.values(form.keys)));
  reader.finish();
  parts_["seed_generator"] = std::move(json);
}

void CellReading::read_backbone() {
  if (const Node* table = root_.table("backbone")) {
    TableReader reader(*table->table(), table->place, "backbone", context_.findings);
    const ParameterValues forced = generator_ ? generator_->manifest->backbone_defaults : ParameterValues{};
    backbone_ = context_.methods.read(reader, MethodKind::backbone, forced);
    if (backbone_) {
      reader.finish();
      parts_["backbone"] = backbone_->json;
    }
  }
  if (!generator_) return;
  check_network(*generator_, "seed generator", backbone(), context_.findings);
  scorable_.asks_classifier = asks_classifier();
}

// Whether the seeds are of a network that gives image-level scores, and that somebody trained.
bool CellReading::asks_classifier() const {
  const auto& provides = generator_->manifest->provides;
  if (std::ranges::find(provides, "logits") == provides.end()) return false;
  return generator_->is_fitted() || (backbone_ && backbone_->json.at("files").contains("weights"));
}

void CellReading::read_maps() {
  const Node* table = root_.table("pseudo_label");
  const Node* background = table ? find(*table->table(), "background") : nullptr;
  const bool ends_in_argmax = background && background->table() && text_of(*background->table(), "rule") == "argmax";
  std::optional<MapChain> chain;
  if (generator_) {
    chain.emplace(fused_maps(*generator_->manifest), generator_->manifest->id, ends_in_argmax, context_.findings);
    if (chain->lacks_plane()) scorable_.without_plane.push_back("seeds");
  }
  MapChain* maps = chain ? &*chain : nullptr;
  if (const Array* refiners = root_.tables("refiner"))
    parts_["refiners"] = read_refiners(*refiners, maps, backbone(), context_, scorable_);
  if (!parts_.contains("refiners")) parts_["refiners"] = Json::array();
  if (!table) return;
  scorable_.pseudo_labels = scorable_.seeds;
  if (!scorable_.seeds) {
    context_.findings.add(table->place, "there are no maps to make pseudo labels of",
                          "accepted: `[seed_generator]` makes them");
  }
  const Json& pseudo_label = parts_["pseudo_label"] = read_pseudo_label(*table, maps, context_);
  const Json* rule = pseudo_label.contains("background") ? &pseudo_label.at("background") : nullptr;
  scorable_.labels_need_plane = rule ? rule->at("rule") == "argmax" : !background && maps && maps->is_labels();
}

void CellReading::read_segmenter_of_cell() {
  const Node* table = root_.table("segmenter");
  if (!table) return;
  scorable_.segmenter_is_named = true;
  const bool has_labels = root_.has("pseudo_label");
  auto segmenter = read_segmenter(*table, backbone_ ? &*backbone_ : nullptr, has_labels, context_);
  scorable_.predictions = segmenter.has_value();
  if (segmenter) parts_["segmenter"] = std::move(*segmenter);
}

}  // namespace

void check_network(const MethodChoice& method, const std::string& user, const std::optional<MethodChoice>* backbone,
                   Findings& findings) {
  for (const std::string& need : method.manifest->needs) {
    if (!is_need_of_backbone(need)) continue;
    if (!backbone) {
      findings.add(method.place, "this " + user + " needs a backbone: `" + method.manifest->id + "`",
                   "accepted: `[backbone]` with `method = ID`");
      return;
    }
    if (!*backbone || need.starts_with("taps:")) continue;
    const auto& provides = (*backbone)->manifest->provides;
    if (std::ranges::find(provides, need) != provides.end()) continue;
    findings.add((*backbone)->place, "this backbone lacks what `" + method.manifest->id + "` needs: `" + need + "`",
                 "accepted: a backbone that provides it; `seedbed plugins list` shows them");
  }
}

Json read_execution(const Node* given, Findings& findings) {
  const HostTable& form = host_table("execution");
  if (!given) return filled(form.keys, {});
  TableReader reader(*given->table(), given->place, "execution", findings);
  Json execution = filled(form.keys, reader.values(form.keys));
  reader.finish();
  if (!is_device(execution.at("device").get<std::string>())) {
    findings.add(reader.place_of("device"),
                 "there is no such device: `" + execution.at("device").get<std::string>() + "`",
                 "accepted: `auto`, `cpu`, `cuda:0`");
  }
  return execution;
}

Json CellResolver::resolve(const Table& cell, const Place& place) const {
  TableReader root(cell, place, "", findings_);
  for (const char* key : {"schema", "study", "grid", "report"}) root.node(key);
  for (const char* key : {"source", "rounds"}) root.leave(key);
  const Node* dataset = root.table("dataset");
  if (!root.has("dataset")) {
    findings_.add(place, "a study needs a data set",
                  "accepted: `[dataset]` with `kind`, one of " + listed(dataset::dataset_kinds()));
  }
  const auto data = dataset ? datasets_.open(*dataset) : nullptr;
  Json resolved = CellReading(root, data.get(), methods_, findings_).read();
  root.finish();
  return resolved;
}

}  // namespace seedbed::study
