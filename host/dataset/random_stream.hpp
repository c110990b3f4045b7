#pragma once

#include <cstdint>
#include <string_view>

namespace seedbed::dataset {

/// Random numbers by name and counter: number i of stream `name` is the same on any machine, in any order of calls and
/// on any thread. FNV-1a of the name starts splitmix64.
class RandomStream {
 public:
  explicit RandomStream(std::string_view name);

  /// Number `counter` of this stream, without moving it.
  std::uint64_t at(std::uint64_t counter) const;

  std::uint64_t next() { return at(counter_++); }

  /// A whole number in [0, limit). Requires: 1 <= limit <= 2^32.
  std::uint64_t below(std::uint64_t limit) { return ((next() >> 32) * limit) >> 32; }

  /// In [0, 1).
  double unit() { return static_cast<double>(next() >> 11) * 0x1p-53; }

  /// In [low, high).
  double uniform(double low, double high) { return low + (high - low) * unit(); }

 private:
  std::uint64_t start_;
  std::uint64_t counter_ = 0;
};

}  // namespace seedbed::dataset
