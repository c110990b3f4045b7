#include "report/material.hpp"

#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "report/query_values.hpp"

namespace seedbed::report {
namespace {

using Points = std::map<std::int64_t, Point>;

std::vector<Mean> read_means(const store::Store& store, std::int64_t study, const std::string& class_name) {
  std::vector<Mean> means;
  const store::QueryResult found = store.query(
      fmt::format("SELECT point, target, metric, role, rule, unit, purpose, stage_type, mean, spread, n, "
                  "rule_value_minimum, rule_value_maximum, oracle_reason, nondeterministic FROM v_seed_means "
                  "WHERE study_id = {} AND class_name = ? ORDER BY point",
                  study),
      {class_name});
  for (const auto& row : found.rows) {
    Mean mean{integer(row[0]), text(row[1]), text(row[2]),
              text(row[3]),    text(row[4]), text(row[5]),
              text(row[6]),    text(row[7]), {}};
    mean.number = {number(row[8]),           optional_number(row[9]), integer(row[10]),      optional_number(row[11]),
                   optional_number(row[12]), text(row[13]),           integer(row[14]) != 0, 0};
    means.push_back(std::move(mean));
  }
  return means;
}

void read_levels(const store::Store& store, std::int64_t study, Points& points) {
  const store::QueryResult found =
      store.query(fmt::format("SELECT DISTINCT c.point, l.variant, l.axis, l.label FROM cells c LEFT JOIN levels l "
                              "ON l.cell_id = c.id WHERE c.study_id = {} ORDER BY c.point, l.variant",
                              study));
  for (const auto& row : found.rows) {
    Point& point = points[integer(row[0])];
    if (!row[1]) continue;  // a study without axes
    const auto variant = static_cast<std::size_t>(integer(row[1]));
    if (variant > point.folded.size()) point.folded.resize(variant);
    (variant == 0 ? point.levels : point.folded[variant - 1])[text(row[2])] = text(row[3]);
  }
}

// Why a number is not there: the first stage that failed on the way to it, else the state of its own stage.
void read_absences(const store::Store& store, std::int64_t study, Points& points) {
  const store::QueryResult found = store.query(fmt::format(
      "SELECT c.point, cs.purpose, s.result_attempt_id IS NOT NULL, s.state, "
      "(SELECT a.cause FROM lineage l JOIN stages f ON f.id = l.ancestor_id JOIN attempts a ON a.stage_id = f.id "
      " WHERE l.stage_id = s.id AND s.result_attempt_id IS NULL AND f.state = 'failed' AND a.state = 'failed' "
      " ORDER BY f.id, a.number DESC LIMIT 1) "
      "FROM cells c JOIN cell_stages cs ON cs.cell_id = c.id JOIN stages s ON s.id = cs.stage_id "
      "WHERE c.study_id = {} AND s.type = 'score' ORDER BY c.random_seed",
      study));
  for (const auto& row : found.rows) {
    Point& point = points[integer(row[0])];
    ++point.num_cells[text(row[1])];
    if (integer(row[2]) != 0) continue;
    point.absent[text(row[1])].push_back(row[4] ? fmt::format("failed ({})", text(row[4])) : text(row[3]));
  }
}

// What a grid point's methods were shown, as one sentence. Scores are left out: every score reads masks.
void read_ledger(const store::Store& store, std::int64_t study, Points& points) {
  const store::QueryResult found = store.query(
      fmt::format("SELECT DISTINCT point, purpose, kind, role FROM v_ledger "
                  "WHERE study_id = {0} AND purpose <> 'score' AND kind <> 'images' "
                  "UNION SELECT DISTINCT point, 'labels', labels_at_inference, role FROM v_ledger "
                  "WHERE study_id = {0} AND purpose = 'infer' AND labels_at_inference <> '' ORDER BY 1, 2, 3, 4",
                  study));
  using RolesByKind = std::map<std::string, std::set<std::string>>;
  struct Shown {
    RolesByKind weights, training, labels, at_inference, choosing;
  };
  std::map<std::int64_t, Shown> shown;
  for (const auto& row : found.rows) {
    Shown& point = shown[integer(row[0])];
    const std::string purpose = text(row[1]);
    const std::string kind = text(row[2]);
    const std::string role = text(row[3]);
    if (kind.starts_with("weights:")) {
      point.weights[kind.substr(kind.find(':') + 1)];
    } else if (purpose == "train") {
      point.training[kind].insert(role);
    } else if (purpose == "labels") {
      point.labels[kind].insert(role);
    } else if (purpose == "choose") {
      point.choosing[kind].insert(role);
    } else if (kind != "image_labels") {  // those are under "labels", with where they came from
      point.at_inference[kind].insert(role);
    }
  }
  for (const auto& [number, point] : shown) {
    std::vector<std::string> parts;
    const auto add = [&](const char* words, const RolesByKind& kinds) {
      std::vector<std::string> entries;
      for (const auto& [kind, roles] : kinds) {
        entries.push_back(roles.empty() ? kind : fmt::format("{} ({})", kind, fmt::join(roles, ", ")));
      }
      if (!entries.empty()) parts.push_back(fmt::format("{}: {}", words, fmt::join(entries, ", ")));
    };
    add("pretrained weights", point.weights);
    add("trained on", point.training);
    add("image labels at inference", point.labels);
    add("further inputs", point.at_inference);
    add("thresholds chosen with", point.choosing);
    points[number].shown = fmt::format("{}", fmt::join(parts, "; "));
  }
}

std::vector<std::string> read_purposes(const store::Store& store, std::int64_t study) {
  std::vector<std::string> purposes;
  const store::QueryResult found =
      store.query(fmt::format("SELECT cs.purpose FROM cells c JOIN cell_stages cs ON cs.cell_id = c.id "
                              "WHERE c.study_id = {} GROUP BY cs.purpose ORDER BY min(cs.stage_id)",
                              study));
  for (const auto& row : found.rows) purposes.push_back(text(row[0]));
  return purposes;
}

}  // namespace

Material read_material(const store::Store& store, const ChosenStudy& study, const std::string& class_name) {
  Material material{study, read_means(store, study.id, class_name), {}, {}, read_purposes(store, study.id), 0};
  for (const Mean& mean : material.means) material.answered.insert(mean.purpose);
  read_levels(store, study.id, material.points);
  read_absences(store, study.id, material.points);
  read_ledger(store, study.id, material.points);
  const store::QueryResult environments = store.query(
      fmt::format("SELECT count(DISTINCT a.environment_id) FROM cells c JOIN cell_stages cs ON cs.cell_id = c.id "
                  "JOIN stages s ON s.id = cs.stage_id JOIN attempts a ON a.id = s.result_attempt_id "
                  "WHERE c.study_id = {}",
                  study.id));
  material.num_environments = integer(environments.rows.at(0).at(0));
  return material;
}

}  // namespace seedbed::report
