#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "weights/refusal.hpp"

namespace seedbed::weights {

/// Reads numbers and pieces of a file's bytes one after the other, and never past their end.
class BoundedReader {
 public:
  /// `what` names in messages what is being read: "zip directory", "pickle".
  BoundedReader(std::string_view bytes, std::string_view where, std::string_view what, std::size_t position = 0)
      : bytes_(bytes), where_(where), what_(what), position_(position) {
    if (position_ > bytes_.size()) refuse_short();
  }

  std::size_t position() const { return position_; }
  std::size_t remaining() const { return bytes_.size() - position_; }
  std::string_view where() const { return where_; }

  std::string_view take(std::uint64_t count) {
    if (count > remaining()) refuse_short();
    const std::string_view piece = bytes_.substr(position_, count);
    position_ += count;
    return piece;
  }

  void skip(std::uint64_t count) { take(count); }

  /// Up to the next line feed, which is taken and not returned.
  std::string_view take_line() {
    const std::size_t end = bytes_.find('\n', position_);
    if (end == std::string_view::npos) refuse_short();
    const std::string_view line = bytes_.substr(position_, end - position_);
    position_ = end + 1;
    return line;
  }

  /// A little-endian number, as every machine that Seedbed runs on has them.
  template <typename T>
  T number() {
    T value;
    std::memcpy(&value, take(sizeof value).data(), sizeof value);
    return value;
  }

 private:
  [[noreturn]] void refuse_short() const {
    refuse(where_, "The file is cut short or damaged: its " + std::string(what_) + " ends too early.");
  }

  std::string_view bytes_;
  std::string_view where_;
  std::string_view what_;
  std::size_t position_;
};

}  // namespace seedbed::weights
