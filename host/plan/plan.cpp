#include "plan/plan.hpp"

#include <algorithm>
#include <set>

#include "digest/sha256.hpp"
#include "plan/bindings.hpp"
#include "plan/cell_planner.hpp"
#include "plan/content_digests.hpp"
#include "seedbed/error.hpp"

namespace seedbed::plan {
namespace {

// Data sets of the cells, opened once each.
class OpenDatasets {
 public:
  OpenDatasets(Plan& plan, std::int64_t images_limit) : plan_(plan), images_limit_(images_limit) {}

  std::size_t index_of(const Json& table) {
    const std::string text = table.dump();
    const auto known = indices_.find(text);
    if (known != indices_.end()) return known->second;
    plan_.datasets.push_back(dataset::Dataset::open(table, images_limit_));
    return indices_[text] = plan_.datasets.size() - 1;
  }

 private:
  Plan& plan_;
  std::int64_t images_limit_;
  std::map<std::string, std::size_t> indices_;
};

Json dataset_digests(const dataset::Dataset& data, ContentDigests& digests) {
  Json by_role = Json::object();
  for (const dataset::Role& role : data.roles()) by_role[role.name] = digests.images(data, role.image_ids, {"image"});
  return by_role;
}

std::string plan_digest(const store::StudyRecord& study) {
  std::vector<std::string> cells;
  for (const store::CellRecord& cell : study.cells) {
    cells.push_back(cell.digest + ":" + std::to_string(cell.random_seed));
  }
  std::sort(cells.begin(), cells.end());
  digest::Sha256 hash;
  for (const std::string& cell : cells) hash.update(cell).update("\n");
  return hash.update(std::to_string(study.images_limit)).hex();
}

Json exclusions_as_json(const study::Study& study) {
  Json list = Json::array();
  for (const study::Exclusion& exclusion : study.exclusions) {
    Json levels = Json::object();
    for (const auto& [axis, label] : exclusion.levels) levels[axis] = label;
    list.push_back({{"levels", levels}, {"reason", exclusion.reason}});
  }
  return list;
}

// A metric that no target can have is a mistake, in whatever cell; told once nothing of the study records it.
void require_recorded(const study::Study& study, const Plan& plan) {
  std::set<std::string> recorded;
  for (const PlannedStage& stage : plan.stages)
    for (const Json& name : stage.spec.settings.value("metrics", Json::array())) recorded.insert(name);
  for (const study::Cell& cell : study.cells)
    for (const Json& name : cell.resolved.at("score").value("metrics", Json::array()))
      if (!recorded.contains(name.get<std::string>()))
        throw UserError("score.metrics",
                        "No target that is scored can have this metric: `" + name.get<std::string>() + "`.",
                        "metrics of outlines need labels, those of maps and boxes, insertion and deletion maps without "
                        "a background "
                        "plane, those of calibration maps with one that hold probabilities (host/metrics/README.md)");
}

}  // namespace

const PlannedStage* Plan::find(std::string_view key) const {
  for (const PlannedStage& stage : stages) {
    if (stage.spec.key == key) return &stage;
  }
  return nullptr;
}

Plan make_plan(const study::Study& study, const manifest::Catalogue& catalogue) {
  Plan plan;
  ContentDigests digests;
  Bindings bindings(catalogue, digests);
  StageTable table(plan, bindings, digests);
  OpenDatasets datasets(plan, study.images_limit);
  plan.study = {.name = study.name,
                .file = study.file.string(),
                .resolved_toml = study.resolved_toml,
                .plan_digest = {},
                .images_limit = study.images_limit,
                .axes = study.axes,
                .report = study.report,
                .exclusions = exclusions_as_json(study),
                .dataset_kind = {},
                .dataset_digests = {},
                .cells = {}};
  std::int64_t number = 0;
  for (const study::Cell& point : study.cells) {
    ++number;
    const std::size_t data = datasets.index_of(point.resolved.at("dataset"));
    const std::string digest = digest::sha256_hex(point.resolved.dump());
    for (const std::int64_t random_seed : study.random_seeds) {
      const StageTable::Cell settings{data, random_seed, point.resolved.at("execution"), study.images_limit};
      plan.study.cells.push_back({.digest = digest,
                                  .number = number,
                                  .random_seed = random_seed,
                                  .resolved = point.resolved,
                                  .levels = point.levels,
                                  .folded = point.folded,
                                  .stages = plan_cell(point.resolved, settings, table)});
    }
  }
  require_recorded(study, plan);
  if (!plan.datasets.empty()) {
    plan.study.dataset_kind = plan.datasets.front()->kind();
    plan.study.dataset_digests = dataset_digests(*plan.datasets.front(), digests);
  }
  plan.study.plan_digest = plan_digest(plan.study);
  plan.plugins = bindings.libraries();
  return plan;
}

}  // namespace seedbed::plan
