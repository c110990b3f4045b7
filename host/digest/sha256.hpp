#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace seedbed::digest {

/// SHA-256 of bytes that arrive in pieces. Threads: [one-at-a-time].
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;

  Sha256& update(std::string_view bytes);
  Sha256& update(std::span<const std::byte> bytes);

  /// The digest of everything so far as 64 lower-case hexadecimal digits. More bytes may follow.
  std::string hex() const;

 private:
  struct Context;
  std::unique_ptr<Context> context_;
};

std::string sha256_hex(std::string_view bytes);

/// Digest of a file's content. Throws: UserError if it cannot be read.
std::string sha256_file(const std::filesystem::path& file);

}  // namespace seedbed::digest
