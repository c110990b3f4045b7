#include "store/sqlite_store.hpp"

#include <utility>

#include <sqlite3.h>

#include "seedbed/error.hpp"

namespace seedbed::store {

SqliteStore::SqliteStore(std::unique_ptr<Connection> connection, std::unique_ptr<WriterLock> lock)
    : file_(connection->file()), lock_(std::move(lock)), connection_(std::move(connection)) {}

SqliteStore::~SqliteStore() { SqliteStore::close(); }

void SqliteStore::close() {
  if (!connection_) return;
  if (lock_) {
    // Leaving write-ahead mode makes the file readable anywhere, read-only media included. It fails while someone
    // reads, and then nothing is lost: the last reader to close takes the journal back.
    sqlite3_busy_timeout(connection_->handle(), 0);
    sqlite3_exec(connection_->handle(), "PRAGMA journal_mode = DELETE", nullptr, nullptr, nullptr);
  }
  connection_.reset();
  lock_.reset();
}

Connection& SqliteStore::reader() const {
  if (!connection_) throw ContractError("store", "a closed store is left alone", "no call", "a call");
  return *connection_;
}

Connection& SqliteStore::writer() {
  Connection& connection = reader();
  if (!lock_) throw ContractError("store", "only a store opened with Access::write is written", "no write", "a write");
  return connection;
}

void SqliteStore::together(const std::function<void()>& work) {
  Transaction transaction(writer());
  work();
  transaction.commit();
}

std::string stored_text(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

}  // namespace seedbed::store
