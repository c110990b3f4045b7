#include <string>

#include <fmt/format.h>

#include "seedbed/error.hpp"
#include "store/sqlite_store.hpp"

namespace seedbed::store {
namespace {

using Levels = std::vector<std::pair<std::string, std::string>>;
using StageRows = std::map<std::string, std::int64_t, std::less<>>;

std::string in_words(const Levels& levels) {
  std::string words;
  for (const auto& [axis, label] : levels) words += fmt::format("{}{}={}", words.empty() ? "" : ", ", axis, label);
  return words;
}

std::string role_of(std::string_view purpose) {
  const std::size_t at = purpose.rfind('@');
  return at == std::string_view::npos ? std::string() : std::string(purpose.substr(at + 1));
}

void record_method(Connection& connection, std::int64_t stage, const std::string& slot,
                   const protocol::MethodBinding& method) {
  const bool has_library = !method.library_digest.empty();
  // What the library is gets told by record_plugin, perhaps later.
  if (has_library) connection.run("INSERT OR IGNORE INTO plugins (digest) VALUES (?)", {method.library_digest});
  connection.run(
      "INSERT INTO stage_plugins VALUES (?, ?, ?, ?, ?, ?, ?, ?) "
      "ON CONFLICT DO UPDATE SET library_digest = excluded.library_digest, files_json = excluded.files_json",
      {stage, slot, method.kind, method.id, method.revision,
       has_library ? Value(method.library_digest) : Value(nullptr), stored_text(method.parameters),
       stored_text(Json(method.files))});
  for (const auto& [name, used] : method.uses) record_method(connection, stage, slot + "." + name, used);
}

// Known stages keep their row: the key decides everything but words, plugin binaries, and whether all images were meant.
std::int64_t record_stage(Connection& connection, const StageRecord& stage) {
  connection.run(
      "INSERT INTO stages (key, type, operation, node, role, label, key_parts_json, random_seed, num_images, "
      "images_limit) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
      "ON CONFLICT (key) DO UPDATE SET label = excluded.label, "
      "images_limit = min(images_limit, excluded.images_limit), "
      "state = CASE state WHEN 'skipped' THEN 'planned' ELSE state END, "
      "message = CASE state WHEN 'skipped' THEN '' ELSE message END",
      {stage.key, protocol::name_of(stage.type), stage.operation, stage.node, stage.role, stage.label,
       stored_text(stage.key_parts), nullable(stage.random_seed), stage.num_images, stage.images_limit});
  const std::int64_t row = *connection.integer("SELECT id FROM stages WHERE key = ?", {stage.key});
  for (const auto& [slot, method] : stage.methods) record_method(connection, row, slot, method);
  return row;
}

std::int64_t row_of(Connection& connection, StageRows& rows, const std::string& key, const std::string& user) {
  const auto found = rows.find(key);
  if (found != rows.end()) return found->second;
  const std::optional<std::int64_t> row = connection.integer("SELECT id FROM stages WHERE key = ?", {key});
  if (!row) throw ContractError("plan", "every stage that `" + user + "` names is recorded with it", "a stage", key);
  return rows[key] = *row;
}

StageRows record_stages(Connection& connection, const std::vector<StageRecord>& stages) {
  StageRows rows;
  std::vector<const StageRecord*> fresh;
  for (const StageRecord& stage : stages) {
    if (!connection.integer("SELECT id FROM stages WHERE key = ?", {stage.key})) fresh.push_back(&stage);
    rows[stage.key] = record_stage(connection, stage);
  }
  for (const StageRecord* stage : fresh) {
    for (const protocol::StageInput& input : stage->inputs) {
      connection.run("INSERT OR IGNORE INTO stage_inputs VALUES (?, ?, ?)",
                     {rows[stage->key], input.name, row_of(connection, rows, input.key, stage->label)});
    }
  }
  for (const StageRecord* stage : fresh) {
    connection.run(
        "INSERT OR IGNORE INTO lineage WITH RECURSIVE up (id) AS ("
        "SELECT ?1 UNION SELECT i.input_id FROM stage_inputs i JOIN up ON i.stage_id = up.id) SELECT ?1, id FROM up",
        {rows[stage->key]});
  }
  return rows;
}

std::int64_t record_row(Connection& connection, const StudyRecord& study) {
  connection.run(
      "INSERT INTO studies (name, plan_digest, images_limit, recency, file, resolved_toml, axes_json, report_json, "
      "exclusions_json, dataset_kind) "
      "VALUES (?, ?, ?, (SELECT ifnull(max(recency), 0) + 1 FROM studies), ?, ?, ?, ?, ?, ?) "
      "ON CONFLICT (name, plan_digest, images_limit) DO UPDATE SET recency = excluded.recency, file = excluded.file, "
      "resolved_toml = excluded.resolved_toml, axes_json = excluded.axes_json, report_json = excluded.report_json, "
      "exclusions_json = excluded.exclusions_json",
      {study.name, study.plan_digest, study.images_limit, study.file, study.resolved_toml,
       stored_text(Json(study.axes)), stored_text(study.report), stored_text(study.exclusions), study.dataset_kind});
  const std::int64_t row =
      *connection.integer("SELECT id FROM studies WHERE name = ? AND plan_digest = ? AND images_limit = ?",
                          {study.name, study.plan_digest, study.images_limit});
  connection.run("DELETE FROM datasets WHERE study_id = ?", {row});
  for (const auto& [role, contents] : study.dataset_digests.items()) {
    for (const auto& [content, digest] : contents.items()) {
      connection.run("INSERT INTO datasets VALUES (?, ?, ?, ?)",
                     {row, role, content, digest.is_string() ? digest.get<std::string>() : stored_text(digest)});
    }
  }
  return row;
}

void record_levels(Connection& connection, std::int64_t cell, std::int64_t variant, const Levels& levels) {
  std::int64_t position = 0;
  for (const auto& [axis, label] : levels) {
    connection.run("INSERT INTO levels VALUES (?, ?, ?, ?, ?)", {cell, variant, position++, axis, label});
  }
}

void record_cell(Connection& connection, std::int64_t study, const CellRecord& cell, StageRows& rows) {
  connection.run(
      "INSERT INTO cells (study_id, point, random_seed, digest, levels, resolved_json) VALUES (?, ?, ?, ?, ?, ?) "
      "ON CONFLICT (study_id, point, random_seed) DO UPDATE SET digest = excluded.digest, levels = excluded.levels, "
      "resolved_json = excluded.resolved_json",
      {study, cell.number, cell.random_seed, cell.digest, in_words(cell.levels), stored_text(cell.resolved)});
  const std::int64_t row =
      *connection.integer("SELECT id FROM cells WHERE study_id = ? AND point = ? AND random_seed = ?",
                          {study, cell.number, cell.random_seed});
  record_levels(connection, row, 0, cell.levels);
  std::int64_t variant = 0;
  for (const Levels& levels : cell.folded) record_levels(connection, row, ++variant, levels);
  for (const CellStage& stage : cell.stages) {
    connection.run("INSERT OR IGNORE INTO cell_stages VALUES (?, ?, ?, ?)",
                   {row, row_of(connection, rows, stage.stage_key, "cell " + std::to_string(cell.number)),
                    stage.purpose, role_of(stage.purpose)});
  }
  // What those rest on belongs to the cell too; its place in the study is purpose enough.
  connection.run(
      "INSERT INTO cell_stages SELECT DISTINCT c.cell_id, s.id, s.type || ':' || s.node || '@' || s.role, s.role "
      "FROM cell_stages c JOIN lineage l ON l.stage_id = c.stage_id JOIN stages s ON s.id = l.ancestor_id "
      "WHERE c.cell_id = ?1 AND s.id NOT IN (SELECT stage_id FROM cell_stages WHERE cell_id = ?1)",
      {row});
}

}  // namespace

std::int64_t SqliteStore::record_study(const StudyRecord& study, const std::vector<StageRecord>& stages) {
  Connection& connection = writer();
  Transaction transaction(connection);
  StageRows rows = record_stages(connection, stages);
  const std::int64_t row = record_row(connection, study);
  connection.run("DELETE FROM cell_stages WHERE cell_id IN (SELECT id FROM cells WHERE study_id = ?)", {row});
  connection.run("DELETE FROM levels WHERE cell_id IN (SELECT id FROM cells WHERE study_id = ?)", {row});
  for (const CellRecord& cell : study.cells) record_cell(connection, row, cell, rows);
  // An equal plan has equal cells, so this finds something only where a plan digest left something out.
  connection.run("DELETE FROM cells WHERE study_id = ? AND id NOT IN (SELECT cell_id FROM cell_stages)", {row});
  transaction.commit();
  return row;
}

void SqliteStore::record_plugin(const std::string& digest, const Json& facts) {
  const auto text = [&](const char* name) {
    return facts.contains(name) && facts[name].is_string() ? facts[name].get<std::string>() : std::string();
  };
  writer().run(
      "INSERT INTO plugins VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET name = excluded.name, "
      "version = excluded.version, vendor = excluded.vendor, source_revision = excluded.source_revision, "
      "facts_json = excluded.facts_json",
      {digest, text("name"), text("version"), text("vendor"), text("source_revision"), stored_text(facts)});
}

}  // namespace seedbed::store
