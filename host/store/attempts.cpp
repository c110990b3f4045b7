#include <fmt/format.h>

#include "seedbed/error.hpp"
#include "store/sqlite_store.hpp"

namespace seedbed::store {
namespace {

constexpr std::string_view kNow = "strftime('%Y-%m-%dT%H:%M:%fZ', 'now')";

std::vector<protocol::ArtefactFile> artefacts_of(Connection& connection, std::int64_t attempt) {
  std::vector<protocol::ArtefactFile> files;
  Rows rows = connection.rows(
      "SELECT name, path, digest, bytes FROM artefacts WHERE attempt_id = ? AND NOT gone ORDER BY path", {attempt});
  while (rows.next()) files.push_back({rows.text(0), rows.text(1), rows.text(2), rows.integer(3)});
  return files;
}

}  // namespace

std::int64_t SqliteStore::known_stage(const std::string& key) {
  const std::optional<std::int64_t> row = writer().integer("SELECT id FROM stages WHERE key = ?", {key});
  if (!row) throw ContractError("run", "a stage is recorded before it is tried", "a recorded stage", key);
  return *row;
}

void SqliteStore::refresh_state(std::int64_t stage) {
  writer().run(
      "UPDATE stages SET (state, message) = "
      "(SELECT state, message FROM attempts WHERE stage_id = ?1 ORDER BY number DESC LIMIT 1) WHERE id = ?1",
      {stage});
}

std::map<std::string, StageStatus> SqliteStore::statuses(const std::vector<std::string>& keys) const {
  Connection& connection = reader();
  std::map<std::string, StageStatus> found;
  for (const std::string& key : keys) {
    Rows rows = connection.rows(
        "SELECT s.state, s.message, s.result_attempt_id, r.seconds, "
        "(SELECT cause FROM attempts a WHERE a.stage_id = s.id ORDER BY number DESC LIMIT 1), "
        "(SELECT count(*) FROM attempts a WHERE a.stage_id = s.id) "
        "FROM stages s LEFT JOIN attempts r ON r.id = s.result_attempt_id WHERE s.key = ?",
        {key});
    if (!rows.next()) continue;
    StageStatus& status = found[key];
    status.state = protocol::stage_state_from(rows.text(0));
    status.last_message = rows.text(1);
    status.has_result = !rows.is_null(2);
    if (status.has_result) status.artefacts = artefacts_of(connection, rows.integer(2));
    if (!rows.is_null(3)) status.seconds = rows.number(3);
    if (!rows.is_null(4)) status.cause = protocol::cause_from(rows.text(4));
    status.num_attempts = rows.integer(5);
  }
  return found;
}

std::int64_t SqliteStore::begin_attempt(const std::string& stage_key, std::int64_t worker_pid,
                                        const std::string& log_file) {
  Connection& connection = writer();
  Transaction transaction(connection);
  const std::int64_t stage = known_stage(stage_key);
  connection.run(
      "INSERT INTO attempts (stage_id, number, state, worker_pid, log_file) "
      "VALUES (?1, (SELECT ifnull(max(number), 0) + 1 FROM attempts WHERE stage_id = ?1), 'running', ?2, ?3)",
      {stage, worker_pid, log_file});
  const std::int64_t attempt = connection.last_row();
  connection.run(
      "INSERT INTO attempt_plugins SELECT ?, slot, library_digest FROM stage_plugins "
      "WHERE stage_id = ? AND library_digest IS NOT NULL",
      {attempt, stage});
  refresh_state(stage);
  transaction.commit();
  return attempt;
}

void SqliteStore::end_attempt(const AttemptEnd& end) {
  using protocol::StageState;
  if (end.state != StageState::failed && end.state != StageState::interrupted && end.state != StageState::skipped) {
    throw ContractError("run", "an attempt without a result file did not end well", "failed, interrupted or skipped",
                        std::string(protocol::name_of(end.state)));
  }
  Connection& connection = writer();
  Transaction transaction(connection);
  const std::int64_t stage = known_stage(end.stage_key);
  connection.run(
      fmt::format("UPDATE attempts SET state = ?, cause = ?, message = ?, exit_signal = ?, ended_at = {} "
                  "WHERE id = ? AND stage_id = ? AND state = 'running'",
                  kNow),
      {protocol::name_of(end.state), protocol::name_of(end.cause), end.message, end.exit_signal, end.attempt, stage});
  if (connection.num_changes() > 0) refresh_state(stage);
  transaction.commit();
}

std::int64_t SqliteStore::close_stale_attempts() {
  Connection& connection = writer();
  Transaction transaction(connection);
  // Whoever may write is the only supervisor there is, so nothing of these attempts is alive.
  connection.run(
      fmt::format("UPDATE attempts SET state = 'interrupted', cause = 'interrupted', ended_at = {}, "
                  "message = 'The run ended before this attempt did.' WHERE state = 'running'",
                  kNow));
  const std::int64_t num_closed = connection.num_changes();
  connection.run(
      "UPDATE stages SET (state, message) = "
      "(SELECT state, message FROM attempts WHERE stage_id = stages.id ORDER BY number DESC LIMIT 1) "
      "WHERE state = 'running'");
  transaction.commit();
  return num_closed;
}

void SqliteStore::forget_artefacts(const std::string& stage_key) {
  writer().run("UPDATE artefacts SET gone = 1 WHERE attempt_id IN (SELECT id FROM attempts WHERE stage_id = ?)",
               {known_stage(stage_key)});
}

}  // namespace seedbed::store
