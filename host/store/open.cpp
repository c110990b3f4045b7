#include <array>
#include <fstream>
#include <string>
#include <system_error>

#include <unistd.h>

#include <fmt/format.h>

#include "seedbed/error.hpp"
#include "store/journal_mode.hpp"
#include "store/migrations.hpp"
#include "store/sqlite_store.hpp"

namespace seedbed::store {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view kMagic("SQLite format 3\0", 16);
constexpr std::size_t kWriteVersionOffset = 18;  // 2 where the file is in write-ahead mode

struct Header {
  bool empty = true;
  bool write_ahead = false;
};

// Looks at the file before SQLite does, which would leave its own files beside one that is none of ours.
Header read_header(const fs::path& file) {
  std::ifstream stream(file, std::ios::binary);
  std::array<char, kWriteVersionOffset + 1> bytes{};
  if (!stream) {
    throw UserError(file.string(), "The store cannot be opened.", "check the permissions of the file and its folder");
  }
  stream.read(bytes.data(), bytes.size());
  if (stream.gcount() == 0) return {};
  if (std::string_view(bytes.data(), kMagic.size()) != kMagic) {
    throw UserError(file.string(), "The file is no results store: it is no SQLite database.",
                    "give the store's file, or a new name, with --store");
  }
  return {false, bytes[kWriteVersionOffset] == 2};
}

void require_ordinary_file(const fs::path& file, Access access) {
  std::error_code ignored;
  const fs::file_status status = fs::status(file, ignored);
  if (status.type() == fs::file_type::not_found) {
    if (access == Access::write) return;
    throw UserError(file.string(), "There is no results store here.",
                    "run a study first (`seedbed run STUDY`), or name a store with --store");
  }
  if (status.type() == fs::file_type::directory) {
    throw UserError(file.string(), "The store is a file, and this is a folder.",
                    "name the file inside it with --store");
  }
  if (status.type() != fs::file_type::regular) {
    throw UserError(file.string(), "The store cannot be opened: it is no ordinary file, or cannot be reached.",
                    "check the path and its permissions");
  }
}

bool has_bytes(const fs::path& file) {
  std::error_code error;
  const std::uintmax_t size = fs::file_size(file, error);
  return !error && size > 0;
}

bool is_writable(const fs::path& folder) { return ::access(folder.c_str(), W_OK) == 0; }

fs::path folder_of(const fs::path& file) { return fs::absolute(file).parent_path(); }

void require_readable_version(Connection& connection) {
  const std::int64_t newest = all_migrations().back().version;
  const std::int64_t version = checked_version(connection, all_migrations());
  if (version == 0 && connection.integer("SELECT count(*) FROM sqlite_schema") == 0) {
    throw UserError(connection.file().string(), "The store is empty.", "run a study first: `seedbed run STUDY`");
  }
  if (version < newest) {
    throw UserError(
        connection.file().string(),
        fmt::format("The store is from an older Seedbed: schema `{}`, this program reads `{}`.", version, newest),
        "run any study with this store once; that brings it up to date and keeps what it holds");
  }
}

std::unique_ptr<Connection> open_to_read(const fs::path& file) {
  const Header header = read_header(file);
  const bool journal = has_bytes(file.string() + "-wal") || has_bytes(file.string() + "-journal");
  const bool writable = is_writable(folder_of(file));
  // Write-ahead mode needs files beside the store; where none can be made, and no journal waits, the file is all.
  const bool alone = header.write_ahead && !journal && !writable;
  try {
    auto connection = std::make_unique<Connection>(file, alone ? OpenMode::immutable : OpenMode::read);
    require_readable_version(*connection);
    return connection;
  } catch (const UserError&) {
    if (!journal || writable) throw;
    throw UserError(file.string(), "The store was not closed cleanly, and its folder cannot be written to mend that.",
                    "copy the file, with the `-wal` or `-journal` file beside it, to a folder that can be written");
  }
}

std::unique_ptr<Connection> open_to_write(const fs::path& file) {
  if (fs::exists(file)) {
    read_header(file);
    if (::access(file.c_str(), W_OK) != 0) {
      throw UserError(file.string(), "The store is read-only.", "change its permissions, or give another with --store");
    }
  }
  auto connection = std::make_unique<Connection>(file, OpenMode::create);
  checked_version(*connection, all_migrations());
  if (Rows check = connection->rows("PRAGMA quick_check(1)"); check.next() && check.text(0) != "ok") {
    throw UserError(file.string(), fmt::format("The store is damaged: `{}`.", check.text(0)),
                    "put a copy back, or save what can be read with `sqlite3 FILE .recover`");
  }
  connection->execute(fmt::format("PRAGMA journal_mode = {}", journal_mode_for(folder_of(file))));
  migrate(*connection, all_migrations());
  return connection;
}

}  // namespace

std::unique_ptr<Store> Store::open(const fs::path& file, Access access) {
  require_ordinary_file(file, access);
  if (access == Access::read) return std::make_unique<SqliteStore>(open_to_read(file), nullptr);

  std::error_code error;
  fs::create_directories(folder_of(file), error);
  if (error) {
    throw UserError(file.string(), fmt::format("The store's folder cannot be made: `{}`.", error.message()),
                    "check the permissions, or give another place with --store");
  }
  auto lock = std::make_unique<WriterLock>(file);
  auto connection = open_to_write(file);
  return std::make_unique<SqliteStore>(std::move(connection), std::move(lock));
}

}  // namespace seedbed::store
