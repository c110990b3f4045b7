#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "store/connection.hpp"

namespace seedbed::store {

/// Written into the file's header ("Seed"), so that another program's database is not taken for a store.
inline constexpr std::int64_t kApplicationId = 0x53656564;

/// One numbered file of schema/, embedded at build time.
struct Migration {
  std::int64_t version = 0;  ///< 1, 2, 3 ... without gaps
  std::string_view name;     ///< "0001_first"
  std::string_view sql;
};

/// In order of their numbers; the last one's is the version that this program knows.
std::span<const Migration> all_migrations();

/// Schema version of the open store; 0 for an empty file.
/// Throws: UserError for another program's database, and for a store from a newer version.
std::int64_t checked_version(Connection& connection, std::span<const Migration> migrations);

/// Brings the store to the newest version, each step in a transaction of its own.
/// Throws: as `checked_version`.
void migrate(Connection& connection, std::span<const Migration> migrations);

}  // namespace seedbed::store
