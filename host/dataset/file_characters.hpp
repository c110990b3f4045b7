#pragma once

#include <cstddef>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

namespace seedbed::dataset {

/// A file's characters one after the other through a buffer of 1 MiB: what a streaming parser reads of a file that is
/// too large to be held. Threads: [one-at-a-time].
class FileCharacters {
 public:
  /// Throws: UserError where the file cannot be opened.
  explicit FileCharacters(const std::filesystem::path& file);

  /// An input iterator; all copies share the place in the file. Reading on throws UserError where the file cannot be
  /// read to its end.
  class Iterator {
   public:
    using iterator_category = std::input_iterator_tag;
    using value_type = char;
    using difference_type = std::ptrdiff_t;
    using pointer = const char*;
    using reference = const char&;

    explicit Iterator(FileCharacters* characters) : characters_(characters) {}
    reference operator*() const { return *characters_->next_; }
    Iterator& operator++() {
      if (++characters_->next_ == characters_->end_) characters_->refill();
      return *this;
    }
    void operator++(int) { ++*this; }
    /// Only the end is ever compared with.
    bool operator==(const Iterator& other) const { return at_end() == other.at_end(); }

   private:
    bool at_end() const { return !characters_ || characters_->next_ == characters_->end_; }
    FileCharacters* characters_;
  };

  Iterator begin() { return Iterator(this); }
  static Iterator end() { return Iterator(nullptr); }

 private:
  void refill();

  std::filesystem::path file_;
  std::ifstream stream_;
  std::vector<char> buffer_;
  const char* next_ = nullptr;
  const char* end_ = nullptr;
};

}  // namespace seedbed::dataset
