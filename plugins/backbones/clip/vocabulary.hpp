#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <unordered_map>

namespace seedbed::clip {

/// A vocabulary of byte pairs. Ids: 0..255 the bytes (the 188 printable ones of Latin-1 first, then the others), 256..511
/// the same at the end of a word, then what each merge makes, then start and end of text.
///
/// Threads: [any-thread].
class Vocabulary {
 public:
  /// Reads `size` - 514 merges from a text file, gzipped or plain, whose first line is a header: two symbols a line, in order
  /// of rank. CLIP's file holds more lines than CLIP uses; the rest is passed over.
  /// Throws: UserError for a file that cannot be read, is damaged, or holds too few merges.
  Vocabulary(const std::string& path, std::int64_t size);

  std::int64_t size() const { return size_; }
  std::int64_t start_of_text() const { return size_ - 2; }
  std::int64_t end_of_text() const { return size_ - 1; }

  /// The id of a byte, within a word or as its last one.
  std::int64_t id_of(unsigned char byte, bool last_of_word) const;

  /// What two neighbours become, or -1. A lower id has a lower rank.
  std::int64_t merged(std::int64_t left, std::int64_t right) const;

 private:
  std::int64_t size_;
  std::array<std::int64_t, 256> byte_ids_{};
  std::unordered_map<std::uint64_t, std::int64_t> merges_;
};

}  // namespace seedbed::clip
