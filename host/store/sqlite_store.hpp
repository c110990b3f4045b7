#pragma once

#include <optional>

#include "store/connection.hpp"
#include "store/store.hpp"
#include "store/writer_lock.hpp"

namespace seedbed::store {

/// The one implementation of Store. Its members are spread over record_study.cpp (plans), attempts.cpp (what happened),
/// take_result.cpp (what came out) and query.cpp (what is asked).
class SqliteStore final : public Store {
 public:
  /// `lock` is there where the store is written.
  SqliteStore(std::unique_ptr<Connection> connection, std::unique_ptr<WriterLock> lock);
  ~SqliteStore() override;

  std::filesystem::path file() const override { return file_; }
  std::filesystem::path artefact_folder() const override { return beside(".artefacts"); }
  std::filesystem::path inbox_folder() const override { return beside(".inbox"); }
  std::filesystem::path log_folder() const override { return beside(".logs"); }

  void together(const std::function<void()>& work) override;
  std::int64_t record_study(const StudyRecord& study, const std::vector<StageRecord>& stages) override;
  std::map<std::string, StageStatus> statuses(const std::vector<std::string>& keys) const override;
  std::int64_t begin_attempt(const std::string& stage_key, std::int64_t worker_pid,
                             const std::string& log_file) override;
  void end_attempt(const AttemptEnd& end) override;
  void take_result(const protocol::StageResult& result) override;
  std::int64_t close_stale_attempts() override;
  void forget_artefacts(const std::string& stage_key) override;
  void record_plugin(const std::string& digest, const Json& facts) override;
  QueryResult query(const std::string& sql, const std::vector<std::string>& values) const override;
  void close() override;

 private:
  std::filesystem::path beside(const char* suffix) const { return file_.string() + suffix; }
  Connection& reader() const;  ///< Throws: ContractError once closed
  Connection& writer();        ///< Throws: ContractError unless open for writing
  std::int64_t known_stage(const std::string& key);
  void refresh_state(std::int64_t stage);

  std::filesystem::path file_;
  // The lock goes last: whoever takes it next must find the file closed.
  std::unique_ptr<WriterLock> lock_;
  std::unique_ptr<Connection> connection_;
};

/// JSON as it is stored: one line; broken UTF-8 is replaced, never an error.
std::string stored_text(const Json& json);

}  // namespace seedbed::store
