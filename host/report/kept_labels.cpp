#include "report/kept_labels.hpp"

#include <fmt/format.h>

#include "report/query_values.hpp"
#include "report/study_choice.hpp"
#include "seedbed/error.hpp"

namespace seedbed::report {
namespace {

bool fits(const KeptLabels& labels, const LabelChoice& choice) {
  return (choice.node.empty() || labels.node == choice.node) && (choice.role.empty() || labels.role == choice.role) &&
         labels.key.starts_with(choice.key);
}

// "3f2a91c04d7e: pseudo_labels of train, 24 images (pamr=true, random seed 0, and 1 cells more)"
std::string line(const KeptLabels& labels) {
  const std::string more = labels.num_cells > 1 ? fmt::format(", and {} cells more", labels.num_cells - 1) : "";
  return fmt::format("{}: {} of {}, {} images ({}{}random seed {}{})", labels.key.substr(0, 12), labels.node,
                     labels.role, labels.num_images, labels.levels, labels.levels.empty() ? "" : ", ",
                     labels.random_seed, more);
}

}  // namespace

std::vector<KeptLabels> kept_labels(const store::Store& store, const LabelChoice& choice) {
  const ChosenStudy study = chosen_studies(store, choice.study, false).front();
  const store::QueryResult found = store.query(fmt::format(
      "SELECT s.key, s.node, s.role, c.levels, c.random_seed, n.num_cells, s.num_images "
      "FROM (SELECT cs.stage_id, min(cs.cell_id) AS cell_id, count(DISTINCT cs.cell_id) AS num_cells "
      "      FROM cell_stages cs JOIN cells c ON c.id = cs.cell_id WHERE c.study_id = {} GROUP BY cs.stage_id) n "
      "JOIN stages s ON s.id = n.stage_id JOIN cells c ON c.id = n.cell_id "
      "WHERE EXISTS (SELECT 1 FROM artefacts a WHERE a.attempt_id = s.result_attempt_id AND a.name = 'labels' AND NOT "
      "a.gone) "
      "ORDER BY s.id",
      study.id));
  std::vector<KeptLabels> kept;
  for (const auto& row : found.rows) {
    KeptLabels labels{text(row[0]),    text(row[1]),    text(row[2]),   text(row[3]),
                      integer(row[4]), integer(row[5]), integer(row[6])};
    if (fits(labels, choice)) kept.push_back(std::move(labels));
  }
  return kept;
}

KeptLabels only_kept_labels(const store::Store& store, const LabelChoice& choice) {
  const std::vector<KeptLabels> kept = kept_labels(store, choice);
  if (kept.empty()) {
    throw UserError(
        store.file().string(), "No labels of this choice are kept.",
        "`pseudo_label.keep = \"file\"` keeps them; those that a segmenter is fitted to are kept by themselves");
  }
  if (kept.size() == 1) return kept.front();
  std::string lines;
  for (const KeptLabels& labels : kept) lines += "\n  " + line(labels);
  throw UserError(store.file().string(), "Several stages hold such labels:" + lines,
                  "choose one: `--stage " + kept.front().key.substr(0, 12) + "`, `--node`, `--role`");
}

}  // namespace seedbed::report
