#include <algorithm>
#include <iostream>
#include <map>
#include <set>

#include <fmt/format.h>

#include "cli/text_table.hpp"
#include "cli/verbs.hpp"
#include "plan/plan.hpp"
#include "plan/work.hpp"
#include "run/cost.hpp"
#include "run/supervisor.hpp"

namespace seedbed::cli {
namespace {

using Json = nlohmann::ordered_json;

plan::Work work_left(const plan::Plan& plan, const std::filesystem::path& store_file) {
  if (std::filesystem::exists(store_file)) {
    return run::remaining_work(plan, *store::Store::open(store_file, store::Access::read));
  }
  return plan::outstanding_work(plan, {}, [](const auto&, const auto&) { return false; });
}

// How many cells each stage answers for, through its readers too: what sharing saves.
std::vector<std::size_t> cells_served(const plan::Plan& plan) {
  std::map<std::string, std::size_t> index;
  for (std::size_t i = 0; i < plan.stages.size(); ++i) index[plan.stages[i].spec.key] = i;
  std::vector<std::set<std::size_t>> cells(plan.stages.size());
  for (std::size_t c = 0; c < plan.study.cells.size(); ++c) {
    for (const store::CellStage& stage : plan.study.cells[c].stages) cells[index.at(stage.stage_key)].insert(c);
  }
  for (std::size_t i = plan.stages.size(); i-- > 0;) {
    for (const std::size_t input : plan.stages[i].inputs) cells[input].insert(cells[i].begin(), cells[i].end());
  }
  std::vector<std::size_t> counts;
  for (const auto& served : cells) counts.push_back(served.size());
  return counts;
}

std::string state_of(const plan::Work& work, std::size_t stage) { return work.needed[stage] ? "to run" : "cached"; }

std::string levels_text(const std::vector<std::pair<std::string, std::string>>& levels) {
  std::string text;
  for (const auto& [axis, label] : levels) text += (text.empty() ? "" : ", ") + axis + " = " + label;
  return text.empty() ? "(one point)" : text;
}

double forecast_seconds(const plan::Plan& plan, const plan::Work& work) {
  const run::CostModel costs;
  double seconds = 0;
  for (std::size_t i = 0; i < plan.stages.size(); ++i) seconds += work.needed[i] ? costs.seconds(plan.stages[i]) : 0;
  return seconds;
}

Json as_json(const study::Study& study, const plan::Plan& plan, const plan::Work& work) {
  Json json{{"study", study.name},       {"cells", Json::array()},
            {"stages", Json::array()},   {"exclusions", plan.study.exclusions},
            {"reused", work.num_reused}, {"forecast_seconds", forecast_seconds(plan, work)}};
  for (const store::CellRecord& cell : plan.study.cells) {
    Json levels = Json::object();
    for (const auto& [axis, label] : cell.levels) levels[axis] = label;
    Json stages = Json::object();
    for (const store::CellStage& stage : cell.stages) stages[stage.purpose] = stage.stage_key;
    json["cells"].push_back({{"number", cell.number},
                             {"random_seed", cell.random_seed},
                             {"levels", levels},
                             {"stages", stages},
                             {"resolved", cell.resolved}});
  }
  const std::vector<std::size_t> served = cells_served(plan);
  for (std::size_t i = 0; i < plan.stages.size(); ++i) {
    const store::StageRecord& record = plan.stages[i].record;
    Json inputs = Json::object();
    for (const protocol::StageInput& input : record.inputs) inputs[input.name] = input.key;
    json["stages"].push_back({{"key", record.key},
                              {"type", protocol::name_of(record.type)},
                              {"operation", record.operation},
                              {"label", record.label},
                              {"images", record.num_images},
                              {"cells", served[i]},
                              {"state", state_of(work, i)},
                              {"written", work.needed[i] && work.keep[i]},
                              {"inputs", inputs}});
  }
  return json;
}

void print_plan(const study::Study& study, const plan::Plan& plan, const plan::Work& work) {
  std::cout << fmt::format("study {}: {} grid points x {} random seeds = {} cells, {} unique stages\n\n", study.name,
                           study.cells.size(), study.random_seeds.size(), plan.study.cells.size(), plan.stages.size());
  std::vector<std::vector<std::string>> cells{{"cell", "levels"}};
  for (std::size_t i = 0; i < study.cells.size(); ++i) {
    std::string text = levels_text(study.cells[i].levels);
    for (const auto& folded : study.cells[i].folded) text += "  (same as " + levels_text(folded) + ")";
    cells.push_back({std::to_string(i + 1), text});
  }
  std::cout << text_table(cells) << '\n';
  std::vector<std::vector<std::string>> rows{{"stage", "what", "images", "cells", "state", "files"}};
  const std::vector<std::size_t> served = cells_served(plan);
  for (std::size_t i = 0; i < plan.stages.size(); ++i) {
    const store::StageRecord& record = plan.stages[i].record;
    rows.push_back({record.key.substr(0, 10), record.label, std::to_string(record.num_images),
                    std::to_string(served[i]), state_of(work, i),
                    work.needed[i] ? (work.keep[i] ? "written" : "streamed") : ""});
  }
  std::cout << text_table(rows) << '\n';
  for (const study::Exclusion& exclusion : study.exclusions) {
    std::cout << fmt::format("left out: {} ({})\n", levels_text(exclusion.levels), exclusion.reason);
  }
  const auto to_run = static_cast<std::size_t>(std::count(work.needed.begin(), work.needed.end(), true));
  std::cout << fmt::format(
      "{} stages to run in {} groups, {} reused, {} not needed any more; guessed time on one worker {}\n", to_run,
      work.groups.size(), work.num_reused, work.num_spared, run::clock_text(forecast_seconds(plan, work)));
}

}  // namespace

void add_plan_verb(CLI::App& app, const std::shared_ptr<Session>& session) {
  CLI::App* verb = app.add_subcommand("plan", "Show cells, unique stages and what is left to run; runs nothing");
  const auto flags = std::make_shared<StudyFlags>();
  add_study_flags(*verb, flags);
  verb->callback([session, flags] {
    const manifest::Catalogue catalogue = session->catalogue();
    const study::Study study = read_study(*session, *flags, catalogue);
    const plan::Plan plan = plan::make_plan(study, catalogue);
    const plan::Work work = work_left(plan, session->store);
    if (session->json) {
      print_json(as_json(study, plan, work));
    } else {
      print_plan(study, plan, work);
    }
  });
}

}  // namespace seedbed::cli
