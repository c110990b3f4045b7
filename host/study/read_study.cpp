#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "study/compose.hpp"
#include "study/grid.hpp"
#include "study/host_tables.hpp"
#include "study/resolve_cell.hpp"
#include "study/resolve_parts.hpp"
#include "study/study.hpp"

namespace seedbed::study {
namespace {

// Reads what holds for the study as a whole: everything but the cells.
class StudyTables {
 public:
  StudyTables(const Table& composed, Place place, Findings& findings)
      : root_(composed, std::move(place), "", findings), findings_(findings) {}

  void read(Study& study) {
    read_schema();
    refuse_later_tables();
    read_study_table(study);
    study.execution = read_execution(root_.table("execution"), findings_);
    read_report(study);
  }

  const Node* grid() { return root_.tables("grid") ? root_.node("grid") : nullptr; }

 private:
  void read_schema() {
    const Node* schema = root_.node("schema");
    if (!schema) {
      findings_.add(root_.place(), "a study names the version of its grammar",
                    "accepted: `schema = 1`, as its first line");
    } else if (const auto* version = std::get_if<std::int64_t>(&schema->value); !version || *version != 1) {
      findings_.add(schema->place, "this version of the grammar is not known: `" + to_toml(*schema) + "`",
                    "accepted: `schema = 1`; a newer Seedbed may know others");
    }
  }

  void refuse_later_tables() {
    for (const char* key : {"source", "rounds"}) {
      if (!root_.has(key)) continue;
      findings_.add(root_.place_of(key), "this table is not available in this version: `" + std::string(key) + "`",
                    "leave it out; one `[seed_generator]` and one pass are available");
    }
  }

  void read_study_table(Study& study) {
    const Node* table = root_.table("study");
    const Node none{Table{}, root_.place()};
    const HostTable& form = host_table("study");
    TableReader reader(*(table ? table : &none)->table(), table ? table->place : root_.place(), "study", findings_);
    const Json values = filled(form.keys, reader.values(form.keys));
    reader.finish();
    study.name = values.at("name");
    if (study.name.empty()) study.name = study.file.stem().string();
    study.random_seeds = values.at("random_seeds").get<std::vector<std::int64_t>>();
    const std::set<std::int64_t> distinct(study.random_seeds.begin(), study.random_seeds.end());
    if (distinct.size() == study.random_seeds.size()) return;
    findings_.add(reader.place_of("random_seeds"), "a random seed is named twice", "accepted: different numbers");
  }

  void read_report(Study& study) {
    const Node* table = root_.table("report");
    if (!table) return;
    TableReader reader(*table->table(), table->place, "report", findings_);
    for (const auto& [name, value] : reader.values(host_table("report").keys)) study.report[name] = to_json(value);
    reader.finish();
  }

  TableReader root_;
  Findings& findings_;
};

// Names in [report] that no axis has.
void check_report_axes(const Table& composed, const Study& study, Findings& findings) {
  const Node* report = find(composed, "report");
  for (const char* key : {"rows", "columns"}) {
    const Node* list = report && report->table() ? find(*report->table(), key) : nullptr;
    if (!list || !list->array()) continue;
    for (const Node& name : *list->array()) {
      if (!name.text() || std::ranges::find(study.axes, *name.text()) != study.axes.end()) continue;
      findings.add(name.place, "the grid has no axis `" + *name.text() + "`", hint_for(*name.text(), study.axes));
    }
  }
}

// What a cell computes: a preset that sets nothing new is the same as none.
Json without_preset_names(Json json) {
  if (json.is_object()) json.erase("preset");
  for (Json& below : json) {
    if (below.is_structured()) below = without_preset_names(std::move(below));
  }
  return json;
}

// Resolves each point; points with equal configurations are one cell.
void resolve_cells(const Table& composed, const Table& sets, Grid& grid, const CellResolver& resolver,
                   const Place& place, Study& study, Findings& findings) {
  std::map<std::string, std::size_t> known;
  for (Point& point : grid.points) {
    findings.enter_cell(in_words(point.levels));
    Table cell = composed;
    overlay(cell, point.settings, findings);
    overlay(cell, sets, findings);
    Json resolved = resolver.resolve(cell, place);
    const auto [found, is_new] = known.try_emplace(without_preset_names(resolved).dump(), study.cells.size());
    if (is_new) {
      study.cells.push_back({std::move(point.levels), {}, std::move(resolved)});
      continue;
    }
    Cell& same = study.cells[found->second];
    const bool is_repeated =
        same.levels == point.levels || std::ranges::find(same.folded, point.levels) != same.folded.end();
    if (!is_repeated) same.folded.push_back(std::move(point.levels));
  }
  findings.leave_cells();
}

std::string stored_text(const Table& base, const std::vector<std::string>& sets) {
  std::string text;
  for (const std::string& set : sets) text += "# --set " + set + " (over the grid's levels too)\n";
  return text + to_toml_document(base);
}

}  // namespace

Study read_study(const std::filesystem::path& file, const manifest::Catalogue& catalogue, const ReadOptions& options) {
  Findings findings;
  Table composed = load_composed(file);
  const Table sets = combined_sets(options.sets, findings);
  Table base = composed;
  overlay(base, sets, findings);
  const Place place{std::make_shared<Source>(Source{file.string(), file.parent_path(), 0, true}), 1, 1};

  Study study;
  study.file = file;
  study.images_limit = options.images_limit;
  study.resolved_toml = stored_text(base, options.sets);
  StudyTables tables(base, place, findings);
  tables.read(study);
  Grid grid = expand_grid(tables.grid(), findings);
  study.axes = grid.axes;
  study.exclusions = std::move(grid.exclusions);
  check_report_axes(base, study, findings);

  std::erase_if(composed, [](const Member& member) { return member.name == "grid"; });
  Datasets datasets(findings, options.images_limit);
  const CellResolver resolver(catalogue, datasets, findings, options.allow_missing_files);
  resolve_cells(composed, sets, grid, resolver, place, study, findings);
  findings.throw_if_any();
  return study;
}

}  // namespace seedbed::study
