#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "weights/byte_block.hpp"

namespace seedbed::weights {

struct ZipMember {
  std::string name;
  std::uint64_t offset = 0;            ///< of the data, in the archive
  std::uint64_t compressed_bytes = 0;  ///< in the archive
  std::uint64_t num_bytes = 0;         ///< once read
  std::uint32_t checksum = 0;          ///< CRC-32; 0 where the writer took none
  bool deflated = false;
};

/// A zip archive in memory. Nothing of it is ever written to a file, and no name of it becomes a path.
///
/// Threads: [any-thread].
class ZipArchive {
 public:
  static bool is_zip(const ByteBlock& bytes);

  /// Throws: UserError naming the file (and the member): no directory, anything outside of the file, overlapping or
  ///         repeated members, names that would leave a folder, encryption, several volumes, a total size that only a
  ///         zip bomb has.
  ZipArchive(ByteBlock archive, std::string where);

  const std::string& where() const { return where_; }

  /// Files only, in the order of the directory.
  const std::vector<ZipMember>& members() const { return members_; }

  /// nullptr where there is none.
  const ZipMember* find(std::string_view name) const;

  /// A stored member lies on the archive's own bytes. Throws: UserError for damaged or unknown compression.
  ByteBlock read(const ZipMember& member) const;

  /// As read(), and compares the checksum. Throws: UserError where it differs.
  ByteBlock read_checked(const ZipMember& member) const;

 private:
  struct Directory;
  Directory find_directory() const;
  void read_directory(const Directory& directory);
  std::uint64_t data_offset(std::uint64_t header_offset, const ZipMember& member) const;
  void refuse_overlap(std::uint64_t directory_offset) const;

  std::string where_;
  ByteBlock archive_;
  std::vector<ZipMember> members_;
  std::map<std::string, std::size_t, std::less<>> index_;
};

}  // namespace seedbed::weights
