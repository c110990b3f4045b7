#include <array>
#include <charconv>
#include <string_view>

#include <fmt/format.h>
#include <sqlite3.h>

#include "seedbed/error.hpp"
#include "store/sqlite_store.hpp"

namespace seedbed::store {
namespace {

// Lets statements read tables and describe them, and nothing else: no ATTACH, no settings, no transactions.
int allow_reading(void* /*context*/, int action, const char* name, const char* value, const char* /*database*/,
                  const char* /*trigger*/) {
  switch (action) {
    case SQLITE_SELECT:
    case SQLITE_READ:
    case SQLITE_RECURSIVE:
      return SQLITE_OK;
    case SQLITE_FUNCTION:
      return value && std::string_view(value) == "load_extension" ? SQLITE_DENY : SQLITE_OK;
    case SQLITE_PRAGMA: {
      static constexpr std::array<std::string_view, 6> harmless{"table_info", "table_xinfo",  "table_list",
                                                                "index_list", "user_version", "foreign_key_list"};
      const bool sets_version = value && std::string_view(name) == "user_version";
      for (const std::string_view pragma : harmless) {
        if (pragma == name && !sets_version) return SQLITE_OK;
      }
      return SQLITE_DENY;
    }
    default:
      return SQLITE_DENY;
  }
}

// Holds only while the statement is compiled: our own statements need no permission.
class ReadingOnly {
 public:
  explicit ReadingOnly(sqlite3* handle) : handle_(handle) { sqlite3_set_authorizer(handle_, allow_reading, nullptr); }
  ~ReadingOnly() { sqlite3_set_authorizer(handle_, nullptr, nullptr); }
  ReadingOnly(const ReadingOnly&) = delete;
  ReadingOnly& operator=(const ReadingOnly&) = delete;

 private:
  sqlite3* handle_;
};

struct Finalizer {
  void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};
using Statement = std::unique_ptr<sqlite3_stmt, Finalizer>;

Statement compiled(sqlite3* handle, const std::string& sql) {
  const ReadingOnly guard(handle);
  sqlite3_stmt* raw = nullptr;
  const char* rest = nullptr;
  const int code = sqlite3_prepare_v2(handle, sql.data(), static_cast<int>(sql.size()), &raw, &rest);
  Statement statement(raw);
  if (code == SQLITE_AUTH) {
    throw UserError("SQL", "The statement would do more than read.", "use SELECT; the store is written by runs alone");
  }
  if (code != SQLITE_OK) {
    throw UserError("SQL", fmt::format("The statement is not understood: `{}`.", sqlite3_errmsg(handle)),
                    "results/README.md lists tables and views");
  }
  if (!statement) throw UserError("SQL", "The statement is empty.", "give a SELECT");
  if (sqlite3_stmt_readonly(raw) == 0) {
    throw UserError("SQL", "The statement would do more than read.", "use SELECT; the store is written by runs alone");
  }
  const std::string_view after(rest, sql.data() + sql.size());
  if (after.find_first_not_of(" \t\r\n;") != std::string_view::npos) {
    throw UserError("SQL", "There is more than one statement.", "give one SELECT");
  }
  return statement;
}

std::string shortest(double value) {
  std::array<char, 32> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
  return {text.data(), end};
}

std::string in_hexadecimal(const unsigned char* bytes, int size) {
  std::string text;
  for (int i = 0; i < size; ++i) text += fmt::format("{:02x}", bytes[i]);
  return text;
}

std::optional<std::string> cell(sqlite3_stmt* statement, int column) {
  switch (sqlite3_column_type(statement, column)) {
    case SQLITE_NULL:
      return std::nullopt;
    case SQLITE_FLOAT:
      return shortest(sqlite3_column_double(statement, column));  // SQLite's own text has 15 digits
    case SQLITE_BLOB: {
      const auto* bytes = static_cast<const unsigned char*>(sqlite3_column_blob(statement, column));
      return in_hexadecimal(bytes, sqlite3_column_bytes(statement, column));
    }
    default:
      return std::string(reinterpret_cast<const char*>(sqlite3_column_text(statement, column)),
                         static_cast<std::size_t>(sqlite3_column_bytes(statement, column)));
  }
}

}  // namespace

QueryResult SqliteStore::query(const std::string& sql, const std::vector<std::string>& values) const {
  sqlite3* handle = reader().handle();
  const Statement statement = compiled(handle, sql);
  if (sqlite3_bind_parameter_count(statement.get()) != static_cast<int>(values.size())) {
    throw UserError("SQL",
                    fmt::format("The statement has `{}` places for values, and `{}` were given.",
                                sqlite3_bind_parameter_count(statement.get()), values.size()),
                    "write the values into the statement");
  }
  for (std::size_t i = 0; i < values.size(); ++i) {
    sqlite3_bind_text64(statement.get(), static_cast<int>(i) + 1, values[i].data(), values[i].size(), SQLITE_STATIC,
                        SQLITE_UTF8);
  }
  QueryResult result;
  const int num_columns = sqlite3_column_count(statement.get());
  for (int column = 0; column < num_columns; ++column) {
    result.columns.emplace_back(sqlite3_column_name(statement.get(), column));
  }
  int code = sqlite3_step(statement.get());
  for (; code == SQLITE_ROW; code = sqlite3_step(statement.get())) {
    auto& row = result.rows.emplace_back();
    auto& is_number = result.is_number.emplace_back();
    for (int column = 0; column < num_columns; ++column) {
      const int type = sqlite3_column_type(statement.get(), column);
      is_number.push_back(type == SQLITE_INTEGER || type == SQLITE_FLOAT);
      row.push_back(cell(statement.get(), column));
    }
  }
  if (code == SQLITE_DONE) return result;
  if ((code & 0xff) != SQLITE_ERROR) fail_with(handle, file_);
  throw UserError("SQL", fmt::format("The statement failed: `{}`.", sqlite3_errmsg(handle)),
                  "results/README.md lists tables and views");
}

}  // namespace seedbed::store
