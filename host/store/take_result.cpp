#include <fmt/format.h>

#include "seedbed/error.hpp"
#include "store/sqlite_store.hpp"

namespace seedbed::store {
namespace {

using protocol::StageResult;
using protocol::StageState;

// A member as text; nullopt where it is absent.
std::optional<std::string> text_member(const Json& json, const char* name) {
  if (!json.is_object() || !json.contains(name) || json.at(name).is_null()) return std::nullopt;
  const Json& member = json.at(name);
  return member.is_string() ? member.get<std::string>() : stored_text(member);
}

Value nullable_text(const std::optional<std::string>& text) { return text ? Value(*text) : Value(nullptr); }

std::optional<std::int64_t> integer_member(const Json& json, const char* name) {
  if (!json.is_object() || !json.contains(name)) return std::nullopt;
  const Json& member = json.at(name);
  if (member.is_boolean()) return member.get<bool>() ? 1 : 0;
  return member.is_number_integer() ? std::optional(member.get<std::int64_t>()) : std::nullopt;
}

Value environment_row(Connection& connection, const Json& facts) {
  if (!facts.is_object() || facts.empty()) return nullptr;
  const std::string text = stored_text(facts);
  connection.run(
      "INSERT OR IGNORE INTO environments (facts_json, device, cpu_capability, torch, compiler, threads, "
      "deterministic) "
      "VALUES (?, ?, ?, ?, ?, ?, ?)",
      {text, nullable_text(text_member(facts, "device")), nullable_text(text_member(facts, "cpu_capability")),
       nullable_text(text_member(facts, "torch")), nullable_text(text_member(facts, "compiler")),
       nullable(integer_member(facts, "threads")), nullable(integer_member(facts, "deterministic"))});
  return *connection.integer("SELECT id FROM environments WHERE facts_json = ?", {text});
}

void record_numbers(Connection& connection, const StageResult& result) {
  for (const protocol::Metric& metric : result.metrics) {
    connection.run("INSERT INTO metrics VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                   {result.attempt, metric.target, metric.name, metric.class_name, metric.rule,
                    nullable(metric.rule_value), metric.value, metric.unit});
  }
  for (const protocol::Curve& curve : result.curves) {
    if (curve.x.size() != curve.y.size()) {
      throw ContractError("worker", "curve `" + curve.name + "` has one y for each x", std::to_string(curve.x.size()),
                          std::to_string(curve.y.size()));
    }
    connection.run("INSERT INTO curves (attempt_id, target, name, x_name) VALUES (?, ?, ?, ?)",
                   {result.attempt, curve.target, curve.name, curve.x_name});
    const std::int64_t row = connection.last_row();
    for (std::size_t i = 0; i < curve.x.size(); ++i) {
      connection.run("INSERT INTO curve_points VALUES (?, ?, ?, ?)",
                     {row, static_cast<std::int64_t>(i), curve.x[i], curve.y[i]});
    }
  }
}

void record_files_and_ledger(Connection& connection, const StageResult& result, std::int64_t stage) {
  for (const protocol::ArtefactFile& file : result.artefacts) {
    // The same path is the same file: what an earlier attempt wrote there is no more.
    connection.run(
        "UPDATE artefacts SET gone = 1 WHERE path = ? AND attempt_id IN (SELECT id FROM attempts WHERE stage_id = ?)",
        {file.path, stage});
    connection.run("INSERT INTO artefacts VALUES (?, ?, ?, ?, ?, 0)",
                   {result.attempt, file.name, file.path, file.digest, file.bytes});
  }
  for (const protocol::LedgerEntry& entry : result.ledger) {
    connection.run("INSERT INTO ledger VALUES (?, ?, ?, ?, ?, ?)",
                   {result.attempt, entry.kind, entry.role, entry.purpose, entry.images, entry.opens});
  }
}

// Times and memory differ in every attempt, and only what both attempts gave is compared: files that stream on are
// sometimes kept and sometimes not.
bool differ(Connection& connection, std::int64_t earlier, std::int64_t later) {
  return connection
             .integer(
                 "SELECT EXISTS (SELECT 1 FROM artefacts e JOIN artefacts l USING (path) "
                 "WHERE e.attempt_id = ?1 AND l.attempt_id = ?2 AND e.digest <> l.digest) "
                 "OR EXISTS (SELECT 1 FROM metrics e JOIN metrics l USING (target, name, class_name, rule) "
                 "WHERE e.attempt_id = ?1 AND l.attempt_id = ?2 AND e.unit NOT IN ('s', 'B') "
                 "AND (e.value IS NOT l.value OR e.rule_value IS NOT l.rule_value))",
                 {earlier, later})
             .value_or(0) != 0;
}

void judge_repetition(Connection& connection, std::int64_t stage, std::int64_t earlier, std::int64_t later) {
  std::string_view verdict = "equal";
  if (differ(connection, earlier, later)) {
    const bool same_place = connection.integer(
                                "SELECT (SELECT environment_id FROM attempts WHERE id = ?) IS (SELECT environment_id "
                                "FROM attempts WHERE id = ?)",
                                {earlier, later}) == 1;
    verdict = same_place ? "nondeterministic" : "differs_by_environment";
  }
  // The worst verdict stays; their names happen to be in alphabetical order but for the first.
  connection.run(
      "UPDATE stages SET repeatability = CASE WHEN repeatability = 'nondeterministic' OR ?1 = 'nondeterministic' "
      "THEN 'nondeterministic' WHEN repeatability = 'differs_by_environment' THEN repeatability ELSE ?1 END WHERE id = "
      "?2",
      {verdict, stage});
}

[[noreturn]] void fail_as_foreign(const StageResult& result, const std::filesystem::path& inbox) {
  throw UserError(
      inbox.string(),
      fmt::format("A result belongs to another store: stage `{}`, attempt `{}`.", result.key, result.attempt),
      "remove its file from the inbox, or put back the store that it belongs to");
}

}  // namespace

void SqliteStore::take_result(const StageResult& result) {
  if (result.state == StageState::planned || result.state == StageState::running) {
    throw ContractError("worker", "a result is of a stage that has ended", "done, failed, interrupted or skipped",
                        std::string(protocol::name_of(result.state)));
  }
  Connection& connection = writer();
  Transaction transaction(connection);
  const std::optional<std::int64_t> stage = connection.integer("SELECT id FROM stages WHERE key = ?", {result.key});
  if (!stage) fail_as_foreign(result, inbox_folder());
  {
    Rows attempt = connection.rows("SELECT stage_id, has_result FROM attempts WHERE id = ?", {result.attempt});
    if (!attempt.next() || attempt.integer(0) != *stage) fail_as_foreign(result, inbox_folder());
    if (attempt.integer(1) != 0) return;
  }
  connection.run(
      "UPDATE attempts SET state = ?, cause = ?, message = ?, hint = ?, has_result = 1, environment_id = ?, "
      "labels_at_inference = ?, facts_json = ?, seconds = ?, peak_memory_bytes = ?, "
      "ended_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now') WHERE id = ?",
      {protocol::name_of(result.state), protocol::name_of(result.cause), result.message, result.hint,
       environment_row(connection, result.environment), text_member(result.facts, "labels_at_inference").value_or(""),
       stored_text(result.facts), result.seconds, result.peak_memory_bytes, result.attempt});
  record_numbers(connection, result);
  record_files_and_ledger(connection, result, *stage);
  if (result.state == StageState::done) {
    const std::optional<std::int64_t> earlier =
        connection.integer("SELECT result_attempt_id FROM stages WHERE id = ?", {*stage});
    if (earlier) judge_repetition(connection, *stage, *earlier, result.attempt);
    connection.run("UPDATE stages SET result_attempt_id = max(ifnull(result_attempt_id, 0), ?) WHERE id = ?",
                   {result.attempt, *stage});
  }
  refresh_state(*stage);
  transaction.commit();
}

}  // namespace seedbed::store
