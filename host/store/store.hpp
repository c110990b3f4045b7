#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "protocol/stage.hpp"

// The results store: one SQLite file. The only room that sees SQLite; no SQLite type leaves it.
namespace seedbed::store {

using Json = nlohmann::ordered_json;

struct StageRecord {
  std::string key;
  protocol::StageType type = protocol::StageType::map;
  std::string operation;
  std::string node;
  std::string role;
  std::string label;        ///< one line for people: "pamr on measure"
  Json key_parts;           ///< everything that went into the key, for `why`
  std::optional<std::int64_t> random_seed;
  std::vector<protocol::StageInput> inputs;
  std::map<std::string, protocol::MethodBinding> methods;
  std::int64_t num_images = 0;
  std::int64_t images_limit = 0;
};

/// Which stages answer for a cell, and as what.
struct CellStage {
  std::string stage_key;
  std::string purpose;   ///< "seeds@measure", "score:seeds@measure" ...
};

struct CellRecord {
  std::string digest;       ///< of the resolved configuration
  std::int64_t number = 0;  ///< in the study's grid, from 1
  std::int64_t random_seed = 0;
  Json resolved;
  std::vector<std::pair<std::string, std::string>> levels;  ///< axis -> label
  std::vector<CellStage> stages;
};

struct StudyRecord {
  std::string name;
  std::string file;
  std::string resolved_toml;
  std::string plan_digest;  ///< of the set of cells: a changed plan is told from the same one
  std::int64_t images_limit = 0;
  std::vector<std::string> axes;
  Json report;
  Json exclusions;
  std::string dataset_kind;
  Json dataset_digests;     ///< role -> content -> digest
  std::vector<CellRecord> cells;
};

struct StageStatus {
  protocol::StageState state = protocol::StageState::planned;
  std::vector<protocol::ArtefactFile> artefacts;
  std::string last_message;
  double seconds = 0;
};

/// An attempt that ended without a result file (crash, kill): written by the supervisor.
struct AttemptEnd {
  std::string stage_key;
  std::int64_t attempt = 0;
  protocol::StageState state = protocol::StageState::failed;
  protocol::Cause cause = protocol::Cause::crash;
  std::string message;
  std::int64_t exit_signal = 0;  ///< 0 = none
};

struct TableRow {
  std::vector<std::string> cells;
};

/// What `results sql` and the tables return.
struct QueryResult {
  std::vector<std::string> columns;
  std::vector<std::vector<std::optional<std::string>>> rows;
};

enum class Access { read, write };

class Store {
 public:
  /// Opens (and, with Access::write, creates and migrates) a store. Write access is exclusive: a second writer gets a
  /// UserError that says which process holds it (flock beside the file).
  /// Throws: UserError for a file that is no store, is corrupt, read-only, or from a newer version.
  static std::unique_ptr<Store> open(const std::filesystem::path& file, Access access);

  virtual ~Store() = default;

  virtual std::filesystem::path file() const = 0;
  virtual std::filesystem::path artefact_folder() const = 0;  ///< "<file>.artefacts"
  virtual std::filesystem::path inbox_folder() const = 0;     ///< "<file>.inbox"
  virtual std::filesystem::path log_folder() const = 0;       ///< "<file>.logs"

  /// Records a study with its cells and stages; returns the study's row. A study of the same name and plan digest is
  /// the same row. All in one transaction.
  virtual std::int64_t record_study(const StudyRecord& study, const std::vector<StageRecord>& stages) = 0;

  /// Statuses of the stages that the store knows among `keys`.
  virtual std::map<std::string, StageStatus> statuses(const std::vector<std::string>& keys) const = 0;

  /// Opens an attempt (state running) and returns its number.
  virtual std::int64_t begin_attempt(const std::string& stage_key, std::int64_t worker_pid, const std::string& log_file) = 0;
  virtual void end_attempt(const AttemptEnd& end) = 0;

  /// Takes a result file's content: attempt, metrics, curves, ledger, artefacts, environment. Reading the same result
  /// twice changes nothing. A done stage whose new artefact digests differ is marked nondeterministic and both are kept.
  virtual void take_result(const protocol::StageResult& result) = 0;

  /// Marks running attempts of dead supervisors as interrupted; done once at start.
  virtual std::int64_t close_stale_attempts() = 0;

  /// Forgets a stage's artefact rows (the files are gone), so it is made again when needed.
  virtual void forget_artefacts(const std::string& stage_key) = 0;

  virtual void record_plugin(const std::string& digest, const Json& facts) = 0;

  /// Any read-only statement. Throws: UserError with SQLite's words.
  virtual QueryResult query(const std::string& sql) const = 0;

  /// A clean end: checkpoints the journal and leaves a single file.
  virtual void close() = 0;
};

}  // namespace seedbed::store
