#include "store/connection.hpp"

#include <cmath>
#include <limits>
#include <utility>

#include <fmt/format.h>
#include <sqlite3.h>

#include "seedbed/error.hpp"

namespace seedbed::store {
namespace fs = std::filesystem;
namespace {

// How long a statement waits for a browser or another `seedbed` that holds the file.
constexpr int kBusyMilliseconds = 10'000;

int open_flags(OpenMode mode) {
  // A reader opens for writing too where it can: a store left by a killed writer can only be read once its journal
  // has been taken back. `query_only` keeps it from writing anything else.
  constexpr int common = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  switch (mode) {
    case OpenMode::create:
      return common | SQLITE_OPEN_CREATE;
    case OpenMode::immutable:
      return SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX;
    default:
      return common;
  }
}

// "file:" addresses give three characters another meaning.
std::string immutable_address(const fs::path& file) {
  std::string address = "file:";
  for (const char letter : fs::absolute(file).string()) {
    if (letter == '%' || letter == '?' || letter == '#') {
      address += fmt::format("%{:02x}", static_cast<unsigned char>(letter));
    } else {
      address += letter;
    }
  }
  return address + "?immutable=1";
}

void bind(sqlite3_stmt* statement, int index, const Value& value) {
  struct Binder {
    sqlite3_stmt* statement;
    int index;
    int operator()(std::nullptr_t) const { return sqlite3_bind_null(statement, index); }
    int operator()(std::int64_t integer) const { return sqlite3_bind_int64(statement, index, integer); }
    int operator()(double number) const { return sqlite3_bind_double(statement, index, number); }
    int operator()(std::string_view text) const {
      return sqlite3_bind_text64(statement, index, text.data() ? text.data() : "", text.size(), SQLITE_TRANSIENT,
                                 SQLITE_UTF8);
    }
  };
  if (std::visit(Binder{statement, index}, value) != SQLITE_OK) {
    throw ContractError("store", "a statement has a place for each value", "the place", std::to_string(index));
  }
}

}  // namespace

void fail_with(sqlite3* handle, const fs::path& file) {
  const int code = handle ? sqlite3_extended_errcode(handle) : SQLITE_NOMEM;
  const std::string words = handle ? sqlite3_errmsg(handle) : "out of memory";
  const std::string where = file.string();
  switch (code & 0xff) {
    case SQLITE_NOTADB:
      throw UserError(where, "The file is no results store: it is no SQLite database.",
                      "give the store's file, or a new name, with --store");
    case SQLITE_CORRUPT:
      throw UserError(where, fmt::format("The store is damaged: `{}`.", words),
                      "put a copy back, or save what can be read with `sqlite3 FILE .recover`");
    case SQLITE_READONLY:
      throw UserError(where, fmt::format("The store cannot be written: `{}`.", words),
                      "check the permissions of the file and its folder");
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      throw UserError(where, "Another program keeps the store locked.",
                      "close the browser or script that has it open, and run again");
    case SQLITE_FULL:
      throw UserError(where, "The disk is full; the store is as it was before this change.",
                      "free some space and run again; what is done will not be repeated");
    case SQLITE_IOERR:
      throw UserError(where, fmt::format("The store cannot be read or written: `{}`, code `{}`.", words, code),
                      "check the disk, and that its file system has file locks");
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
    case SQLITE_AUTH:
      throw UserError(where, fmt::format("The store cannot be opened: `{}`.", words),
                      "check the permissions of the file and its folder");
    default:
      throw ContractError("store", "values and statements agree with the schema", "no error",
                          fmt::format("{} (code {})", words, code));
  }
}

Rows::Rows(sqlite3_stmt* statement, const fs::path& file) : statement_(statement), file_(&file) {}
Rows::Rows(Rows&& other) noexcept : statement_(std::exchange(other.statement_, nullptr)), file_(other.file_) {}
Rows::~Rows() {
  if (statement_) sqlite3_reset(statement_);
}

bool Rows::next() {
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  if (code != SQLITE_DONE) fail_with(sqlite3_db_handle(statement_), *file_);
  return false;
}

bool Rows::is_null(int column) const { return sqlite3_column_type(statement_, column) == SQLITE_NULL; }
std::int64_t Rows::integer(int column) const { return sqlite3_column_int64(statement_, column); }
double Rows::number(int column) const {
  return is_null(column) ? std::numeric_limits<double>::quiet_NaN() : sqlite3_column_double(statement_, column);
}
std::string Rows::text(int column) const {
  const auto* bytes = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
  return bytes ? std::string(bytes, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))) : std::string();
}

Connection::Connection(const fs::path& file, OpenMode mode) : file_(file) {
  const std::string name = mode == OpenMode::immutable ? immutable_address(file) : file.string();
  try {
    if (sqlite3_open_v2(name.c_str(), &handle_, open_flags(mode), nullptr) != SQLITE_OK) fail_with(handle_, file_);
    sqlite3_busy_timeout(handle_, kBusyMilliseconds);
    // A store may come from anywhere: its schema must not call functions with side effects.
    sqlite3_db_config(handle_, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
    sqlite3_db_config(handle_, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
    sqlite3_db_config(handle_, SQLITE_DBCONFIG_ENABLE_FKEY, 1, nullptr);
    execute("PRAGMA cell_size_check = ON; PRAGMA synchronous = FULL;");
    if (mode == OpenMode::read) execute("PRAGMA query_only = ON;");
  } catch (...) {
    close();
    throw;
  }
}

Connection::~Connection() { close(); }

void Connection::close() noexcept {
  for (const auto& [sql, statement] : statements_) sqlite3_finalize(statement);
  statements_.clear();
  sqlite3_close_v2(std::exchange(handle_, nullptr));
}

bool Connection::is_read_only() const { return sqlite3_db_readonly(handle_, "main") == 1; }
bool Connection::in_transaction() const { return sqlite3_get_autocommit(handle_) == 0; }
std::int64_t Connection::last_row() const { return sqlite3_last_insert_rowid(handle_); }
std::int64_t Connection::num_changes() const { return sqlite3_changes64(handle_); }

void Connection::execute(const std::string& script) {
  if (sqlite3_exec(handle_, script.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) fail_with(handle_, file_);
}

sqlite3_stmt* Connection::prepared(std::string_view sql, std::initializer_list<Value> values) {
  auto found = statements_.find(sql);
  if (found == statements_.end()) {
    sqlite3_stmt* statement = nullptr;
    if (sqlite3_prepare_v3(handle_, sql.data(), static_cast<int>(sql.size()), SQLITE_PREPARE_PERSISTENT, &statement,
                           nullptr) != SQLITE_OK) {
      fail_with(handle_, file_);
    }
    found = statements_.emplace(sql, statement).first;
  }
  int index = 0;
  for (const Value& value : values) bind(found->second, ++index, value);
  return found->second;
}

Rows Connection::rows(std::string_view sql, std::initializer_list<Value> values) {
  return Rows(prepared(sql, values), file_);
}

void Connection::run(std::string_view sql, std::initializer_list<Value> values) {
  Rows all = rows(sql, values);
  while (all.next()) {
  }
}

std::optional<std::int64_t> Connection::integer(std::string_view sql, std::initializer_list<Value> values) {
  Rows first = rows(sql, values);
  if (!first.next() || first.is_null(0)) return std::nullopt;
  return first.integer(0);
}

Transaction::Transaction(Connection& connection) : connection_(connection), nested_(connection.in_transaction()) {
  connection_.execute(nested_ ? "SAVEPOINT part" : "BEGIN IMMEDIATE");
}

Transaction::~Transaction() {
  if (!open_) return;
  // SQLite has already rolled back after some errors (full disk); asking again is then an error of no interest.
  const char* back = nested_ ? "ROLLBACK TO part; RELEASE part" : "ROLLBACK";
  sqlite3_exec(connection_.handle(), back, nullptr, nullptr, nullptr);
}

void Transaction::commit() {
  connection_.execute(nested_ ? "RELEASE part" : "COMMIT");
  open_ = false;
}

}  // namespace seedbed::store
