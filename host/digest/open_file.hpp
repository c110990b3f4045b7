#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

#include <sys/stat.h>

namespace seedbed::digest {

/// A regular file, open for reading.
class OpenFile {
 public:
  /// Throws: UserError if it cannot be opened or is no regular file.
  explicit OpenFile(const std::filesystem::path& file);
  ~OpenFile();
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;

  struct ::stat status() const;
  /// Digest of everything from the current position. Throws: UserError for a read error.
  std::string sha256() const;
  /// Fills `into` from `offset` on; false if the file ends before. Throws: UserError for a read error.
  bool read_at(std::uint64_t offset, std::span<std::byte> into) const;

 private:
  std::filesystem::path file_;
  int descriptor_ = -1;
};

}  // namespace seedbed::digest
