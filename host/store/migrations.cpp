#include "store/migrations.hpp"

#include <string>

#include <fmt/format.h>

#include "seedbed/error.hpp"

namespace seedbed::store {

std::int64_t checked_version(Connection& connection, std::span<const Migration> migrations) {
  const std::int64_t version = connection.integer("PRAGMA user_version").value_or(0);
  const std::int64_t tables = connection.integer("SELECT count(*) FROM sqlite_schema").value_or(0);
  if (version == 0 && tables == 0) return 0;
  if (connection.integer("PRAGMA application_id") != kApplicationId) {
    throw UserError(connection.file().string(), "The file is another program's SQLite database.",
                    "give the store's file, or a new name, with --store");
  }
  if (version > migrations.back().version) {
    throw UserError(connection.file().string(),
                    fmt::format("The store is from a newer Seedbed: schema `{}`, this program knows up to `{}`.",
                                version, migrations.back().version),
                    "use the newer program, or another store");
  }
  return version;
}

void migrate(Connection& connection, std::span<const Migration> migrations) {
  const std::int64_t version = checked_version(connection, migrations);
  for (const Migration& migration : migrations) {
    if (migration.version <= version) continue;
    Transaction transaction(connection);
    connection.execute(std::string(migration.sql));
    // Both pragmas live in the file's header and take part in the transaction.
    connection.execute(
        fmt::format("PRAGMA application_id = {}; PRAGMA user_version = {};", kApplicationId, migration.version));
    transaction.commit();
  }
}

}  // namespace seedbed::store
