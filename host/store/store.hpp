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
  std::string label;  ///< one line for people: "pamr on measure"
  Json key_parts;     ///< everything that went into the key, for `why`
  std::optional<std::int64_t> random_seed;
  std::vector<protocol::StageInput> inputs;
  std::map<std::string, protocol::MethodBinding> methods;
  std::int64_t num_images = 0;
  std::int64_t images_limit = 0;
};

/// Which stages answer for a cell, and as what; the stages that they rest on follow from the inputs. Means over random seeds are taken purpose by purpose, so a purpose must
/// be the same in all cells of a grid point, and tell apart what must not be averaged (two predictions of one segmenter).
struct CellStage {
  std::string stage_key;
  std::string purpose;  ///< "seeds@measure", "score:seeds@measure" ...; after the last `@` the role, if there is one
};

struct CellRecord {
  std::string digest;       ///< of the resolved configuration
  std::int64_t number = 0;  ///< of the grid point, from 1; its cells (one a random seed) share it
  std::int64_t random_seed = 0;
  Json resolved;
  std::vector<std::pair<std::string, std::string>> levels;               ///< axis -> label
  std::vector<std::vector<std::pair<std::string, std::string>>> folded;  ///< further points with this configuration
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
  Json dataset_digests;  ///< role -> content -> digest
  std::vector<CellRecord> cells;
};

struct StageStatus {
  protocol::StageState state = protocol::StageState::planned;  ///< of the newest attempt
  protocol::Cause cause = protocol::Cause::none;
  std::vector<protocol::ArtefactFile> artefacts;  ///< of the newest attempt that ended well, less forgotten ones
  std::string last_message;
  double seconds = 0;
  bool has_result = false;  ///< some attempt ended well, so the stage's numbers are known
  std::int64_t num_attempts = 0;
};

/// An attempt that ended without a result file (crash, kill, never started): written by the supervisor.
struct AttemptEnd {
  std::string stage_key;
  std::int64_t attempt = 0;
  protocol::StageState state = protocol::StageState::failed;  ///< or interrupted, or skipped
  protocol::Cause cause = protocol::Cause::crash;
  std::string message;
  std::int64_t exit_signal = 0;  ///< 0 = none
};

/// What `results sql` and the tables return.
struct QueryResult {
  std::vector<std::string> columns;
  std::vector<std::vector<std::optional<std::string>>> rows;  ///< nullopt is NULL; numbers read back equal
  std::vector<std::vector<bool>> is_number;                   ///< which of them are numbers
};

enum class Access { read, write };

/// Threads: [one-at-a-time]. Calls that write need Access::write, else ContractError.
class Store {
 public:
  /// Opens (and, with Access::write, creates and migrates) a store. Write access is exclusive: a second writer gets a
  /// UserError that says which process holds it (flock beside the file).
  /// Throws: UserError for a file that is missing (to read), a folder, no store, damaged, read-only (to write), from a
  /// newer version, or (to read) from an older one.
  static std::unique_ptr<Store> open(const std::filesystem::path& file, Access access);

  virtual ~Store() = default;

  virtual std::filesystem::path file() const = 0;
  virtual std::filesystem::path artefact_folder() const = 0;  ///< "<file>.artefacts"
  virtual std::filesystem::path inbox_folder() const = 0;     ///< "<file>.inbox"
  virtual std::filesystem::path log_folder() const = 0;       ///< "<file>.logs"

  /// Several calls as one commit, all or nothing: the disk is waited for once. May be nested.
  virtual void together(const std::function<void()>& work) = 0;

  /// Records a study with its cells and stages; returns the study's row. A study of the same name, plan digest and
  /// images limit is the same row; it becomes the latest. Skipped stages are planned again.
  /// Throws: ContractError for a stage that is named but neither given nor known.
  virtual std::int64_t record_study(const StudyRecord& study, const std::vector<StageRecord>& stages) = 0;

  /// Statuses of the stages that the store knows among `keys`.
  virtual std::map<std::string, StageStatus> statuses(const std::vector<std::string>& keys) const = 0;

  /// Opens an attempt (state running) and returns its row's number, which no other attempt ever has.
  /// Throws: ContractError for an unknown stage, here and below.
  virtual std::int64_t begin_attempt(const std::string& stage_key, std::int64_t worker_pid,
                                     const std::string& log_file) = 0;

  /// Changes nothing where the attempt has ended already: a worker's result file is the last word.
  virtual void end_attempt(const AttemptEnd& end) = 0;

  /// Takes a result file's content: attempt, metrics, curves, ledger, artefacts, environment. Reading the same result
  /// twice changes nothing. Where an earlier attempt gave other digests or numbers, both are kept, the stage is marked
  /// (nondeterministic, or differing by environment) and the newer attempt's numbers are the stage's.
  /// Throws: UserError for a stage or attempt of another store; ContractError for a result that breaks the schema.
  virtual void take_result(const protocol::StageResult& result) = 0;

  /// Marks running attempts of dead supervisors as interrupted; done once at start. Returns how many.
  virtual std::int64_t close_stale_attempts() = 0;

  /// Forgets that a stage's artefact files are there (they are gone), so it is made again when needed. Its numbers stay.
  virtual void forget_artefacts(const std::string& stage_key) = 0;

  /// `facts`: "name", "version", "vendor", "source_revision", and whatever else.
  virtual void record_plugin(const std::string& digest, const Json& facts) = 0;

  /// Any one statement that reads; `values` are bound to its `?` in order.
  /// Throws: UserError with SQLite's words, or saying that the statement would write.
  virtual QueryResult query(const std::string& sql, const std::vector<std::string>& values = {}) const = 0;

  /// A clean end: takes the journal back and leaves a single file. Done by the destructor, too.
  virtual void close() = 0;
};

}  // namespace seedbed::store
