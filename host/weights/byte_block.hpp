#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string_view>

namespace seedbed::weights {

/// Bytes and what keeps them alive. They are private to this process, so tensors may lie on them and be written to.
class ByteBlock {
 public:
  ByteBlock() = default;

  /// A private mapping of the file. Throws: UserError naming the file where it cannot be read.
  static ByteBlock map(const std::filesystem::path& file);

  /// New memory, not initialised, aligned for any number. Throws: std::bad_alloc.
  static ByteBlock allocate(std::size_t num_bytes);

  /// The same bytes in new memory. A mapping gives its pages back as they are copied, so its bytes are never twice in
  /// memory; only for bytes that nobody has written to. Throws: std::bad_alloc.
  ByteBlock copied() const;

  std::byte* data() const { return bytes_.data(); }
  std::size_t size() const { return bytes_.size(); }
  std::span<std::byte> bytes() const { return bytes_; }
  std::string_view text() const { return {reinterpret_cast<const char*>(bytes_.data()), bytes_.size()}; }

  /// Keeps the bytes alive, whatever block they were taken from.
  const std::shared_ptr<void>& owner() const { return owner_; }

  /// Shares the owner. Requires: the part lies within the block.
  ByteBlock part(std::size_t offset, std::size_t num_bytes) const;

  /// Says that what lies here has been copied: a mapping gives its pages back until they are read again. Only for bytes
  /// that nobody has written to.
  void release_pages() const;

 private:
  std::shared_ptr<void> owner_;
  std::span<std::byte> bytes_;
  bool mapped_ = false;
};

}  // namespace seedbed::weights
