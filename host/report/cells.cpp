#include "report/cells.hpp"

#include <map>

#include <fmt/format.h>

#include "report/query_values.hpp"
#include "report/study_choice.hpp"

namespace seedbed::report {
namespace {

std::vector<StageLine> read_stages(const store::Store& store, std::int64_t study) {
  std::vector<StageLine> stages;
  const store::QueryResult found = store.query(fmt::format(
      "SELECT s.key, s.label, s.type, s.node, s.role, s.state, a.cause, s.message, a.hint, a.log_file, a.exit_signal, "
      "a.number, r.seconds, r.peak_memory_bytes, n.num_cells "
      "FROM (SELECT cs.stage_id, count(DISTINCT cs.cell_id) AS num_cells FROM cell_stages cs "
      "      JOIN cells c ON c.id = cs.cell_id WHERE c.study_id = {} GROUP BY cs.stage_id) n "
      "JOIN stages s ON s.id = n.stage_id "
      "LEFT JOIN attempts a ON a.stage_id = s.id "
      "  AND a.number = (SELECT max(number) FROM attempts m WHERE m.stage_id = s.id) "
      "LEFT JOIN attempts r ON r.id = s.result_attempt_id ORDER BY s.id",
      study));
  for (const auto& row : found.rows) {
    stages.push_back({text(row[0]), text(row[1]), text(row[2]), text(row[3]), text(row[4]), text(row[5]), text(row[6]),
                      text(row[7]), text(row[8]), text(row[9]), integer(row[10]), integer(row[11]),
                      optional_number(row[12]), integer(row[13]), integer(row[14])});
  }
  return stages;
}

std::vector<CellLine> read_cells(const store::Store& store, std::int64_t study, const std::vector<StageLine>& stages) {
  std::map<std::string, std::size_t> index;
  for (std::size_t s = 0; s < stages.size(); ++s) index[stages[s].key] = s;
  std::map<std::string, CellLine*> by_id;
  std::vector<CellLine> cells;
  const store::QueryResult found =
      store.query(fmt::format("SELECT cell_id, point, random_seed, levels, state, done, seconds FROM v_cells "
                              "WHERE study_id = {} ORDER BY point, random_seed",
                              study));
  cells.reserve(found.rows.size());
  for (const auto& row : found.rows) {
    cells.push_back(
        {integer(row[1]), integer(row[2]), text(row[3]), text(row[4]), integer(row[5]), number(row[6]), {}});
    by_id[text(row[0])] = &cells.back();
  }
  const store::QueryResult links =
      store.query(fmt::format("SELECT DISTINCT cs.cell_id, s.key FROM cells c JOIN cell_stages cs ON cs.cell_id = c.id "
                              "JOIN stages s ON s.id = cs.stage_id WHERE c.study_id = {} ORDER BY cs.cell_id, s.id",
                              study));
  for (const auto& row : links.rows) by_id.at(text(row[0]))->stages.push_back(index.at(text(row[1])));
  return cells;
}

bool is_lost(const StageLine& stage) { return stage.state == "failed" || stage.state == "interrupted"; }

// "failed (crash, signal 11)"
std::string state_words(const StageLine& stage) {
  if (!is_lost(stage) || stage.cause.empty() || stage.cause == "none" || stage.cause == stage.state) return stage.state;
  if (stage.exit_signal == 0) return fmt::format("{} ({})", stage.state, stage.cause);
  return fmt::format("{} ({}, signal {})", stage.state, stage.cause, stage.exit_signal);
}

Entry words(std::string text) { return {std::move(text), {}, {}}; }

std::string seconds_words(double seconds) { return fmt::format("{:.1f}", seconds); }

Sheet cells_sheet(const CellsReport& report) {
  Sheet sheet;
  sheet.title =
      fmt::format("Study {}{}", report.study,
                  report.images_limit > 0 ? fmt::format(", first {} images of each role", report.images_limit) : "");
  sheet.headings = {{"point", true},       {"random seed", true}, {"levels"},          {"state"},
                    {"stages done", true}, {"seconds", true},     {"first stage lost"}};
  for (const CellLine& cell : report.cells) {
    std::string lost;
    for (const std::size_t stage : cell.stages) {
      if (lost.empty() && is_lost(report.stages[stage])) {
        lost = report.stages[stage].label + ": " + state_words(report.stages[stage]);
      }
    }
    sheet.rows.push_back({words(std::to_string(cell.point)), words(std::to_string(cell.random_seed)),
                          words(cell.levels), words(cell.state),
                          words(fmt::format("{}/{}", cell.done, cell.stages.size())),
                          words(seconds_words(cell.seconds)), words(lost)});
  }
  return sheet;
}

Sheet stages_sheet(const CellsReport& report, bool all) {
  Sheet sheet;
  sheet.title = all ? "Stages" : "Stages that failed or were interrupted";
  sheet.headings = {{"stage"},       {"key"},     {"state"}, {"attempts", true}, {"seconds", true}, {"MiB", true},
                    {"cells", true}, {"message"}, {"log"}};
  for (const StageLine& stage : report.stages) {
    if (!all && !is_lost(stage)) continue;
    const std::string message = stage.message.substr(0, stage.message.find('\n'));
    sheet.rows.push_back({words(stage.label), words(stage.key.substr(0, 12)), words(state_words(stage)),
                          words(std::to_string(stage.attempts)),
                          words(stage.seconds ? seconds_words(*stage.seconds) : "–"),
                          words(std::to_string(stage.peak_memory_bytes >> 20)), words(std::to_string(stage.num_cells)),
                          words(message), words(stage.log_file)});
  }
  return sheet;
}

std::string as_json(const CellsReport& report) {
  Json stages = Json::array();
  for (const StageLine& stage : report.stages) {
    stages.push_back({{"key", stage.key},
                      {"label", stage.label},
                      {"type", stage.type},
                      {"node", stage.node},
                      {"role", stage.role},
                      {"state", stage.state},
                      {"cause", stage.cause},
                      {"message", stage.message},
                      {"hint", stage.hint},
                      {"exit_signal", stage.exit_signal},
                      {"attempts", stage.attempts},
                      {"seconds", stage.seconds ? Json(*stage.seconds) : Json(nullptr)},
                      {"peak_memory_bytes", stage.peak_memory_bytes},
                      {"cells", stage.num_cells},
                      {"log_file", stage.log_file}});
  }
  Json cells = Json::array();
  for (const CellLine& cell : report.cells) {
    Json keys = Json::array();
    for (const std::size_t stage : cell.stages) keys.push_back(report.stages[stage].key);
    cells.push_back({{"point", cell.point},
                     {"random_seed", cell.random_seed},
                     {"levels", cell.levels},
                     {"state", cell.state},
                     {"done", cell.done},
                     {"seconds", cell.seconds},
                     {"stages", keys}});
  }
  const Json json = {
      {"study", report.study}, {"images_limit", report.images_limit}, {"cells", cells}, {"stages", stages}};
  return json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace

CellsReport cells_report(const store::Store& store, const CellsOptions& options) {
  const ChosenStudy study = chosen_studies(store, options.study, false).front();
  CellsReport report{study.name, study.images_limit, {}, read_stages(store, study.id)};
  report.cells = read_cells(store, study.id, report.stages);
  if (options.unfinished_only) std::erase_if(report.cells, [](const CellLine& cell) { return cell.state == "done"; });
  return report;
}

std::string rendered(const CellsReport& report, const CellsOptions& options, Format format) {
  if (format == Format::json) return as_json(report);
  std::string text = rendered(cells_sheet(report), format);
  const Sheet stages = stages_sheet(report, options.stages);
  // CSV is one table to a file.
  if (format == Format::csv) return options.stages ? rendered(stages, format) : text;
  return stages.rows.empty() ? text : text + "\n" + rendered(stages, format);
}

}  // namespace seedbed::report
