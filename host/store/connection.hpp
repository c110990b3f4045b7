#pragma once

#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

struct sqlite3;
struct sqlite3_stmt;

namespace seedbed::store {

/// What can be bound to a statement's `?`. Not-a-number is stored as NULL.
using Value = std::variant<std::nullptr_t, std::int64_t, double, std::string_view>;

inline Value nullable(const std::optional<std::int64_t>& value) { return value ? Value(*value) : Value(nullptr); }
inline Value nullable(const std::optional<double>& value) { return value ? Value(*value) : Value(nullptr); }

/// The rows of one statement, read front to back; the statement is reset when this goes.
class Rows {
 public:
  explicit Rows(sqlite3_stmt* statement, const std::filesystem::path& file);
  ~Rows();
  Rows(Rows&& other) noexcept;
  Rows(const Rows&) = delete;
  Rows& operator=(const Rows&) = delete;

  /// Goes to the next row; false after the last one.
  bool next();

  bool is_null(int column) const;
  std::int64_t integer(int column) const;
  double number(int column) const;  ///< NULL is not-a-number
  std::string text(int column) const;

 private:
  sqlite3_stmt* statement_;
  const std::filesystem::path* file_;
};

enum class OpenMode { read, write, create, immutable };

/// One open database. SQLite's codes become errors here and in `fail_with` alone.
///
/// Threads: [one-at-a-time].
class Connection {
 public:
  /// Throws: UserError for a file that SQLite cannot open.
  Connection(const std::filesystem::path& file, OpenMode mode);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  const std::filesystem::path& file() const { return file_; }
  sqlite3* handle() const { return handle_; }
  bool is_read_only() const;
  bool in_transaction() const;

  /// Runs a script of any number of statements.
  void execute(const std::string& script);

  /// Runs one statement to its end. Statements are compiled once and kept by their text.
  void run(std::string_view sql, std::initializer_list<Value> values = {});
  Rows rows(std::string_view sql, std::initializer_list<Value> values = {});

  /// First column of the first row; nullopt where there is none, or NULL.
  std::optional<std::int64_t> integer(std::string_view sql, std::initializer_list<Value> values = {});

  std::int64_t last_row() const;
  std::int64_t num_changes() const;

  /// Finalises every statement and closes. Further calls do nothing.
  void close() noexcept;

 private:
  sqlite3_stmt* prepared(std::string_view sql, std::initializer_list<Value> values);

  std::filesystem::path file_;
  sqlite3* handle_ = nullptr;
  std::map<std::string, sqlite3_stmt*, std::less<>> statements_;
};

/// All or nothing: what is not committed is rolled back. Inside another transaction it commits with that one.
class Transaction {
 public:
  explicit Transaction(Connection& connection);
  ~Transaction();
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;

  void commit();

 private:
  Connection& connection_;
  bool nested_;
  bool open_ = true;
};

/// Throws the error that SQLite's last code on `handle` stands for: a UserError where the file, the disk or another
/// program is at fault, a ContractError where our statements are.
[[noreturn]] void fail_with(sqlite3* handle, const std::filesystem::path& file);

}  // namespace seedbed::store
