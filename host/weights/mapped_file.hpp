#pragma once

#include <cstddef>
#include <filesystem>
#include <span>

namespace seedbed::weights {

/// A file in memory, mapped privately: who writes there changes their own copy and never the file.
class MappedFile {
 public:
  /// Throws: UserError naming the file where it cannot be read.
  explicit MappedFile(const std::filesystem::path& file);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  std::span<std::byte> bytes() const { return bytes_; }

 private:
  std::span<std::byte> bytes_;
};

}  // namespace seedbed::weights
