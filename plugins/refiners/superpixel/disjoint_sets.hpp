#pragma once

#include <cstdint>
#include <numeric>
#include <utility>
#include <vector>

namespace seedbed::superpixel {

/// A partition of 0 .. size - 1 that only becomes coarser (union-find with path halving; the larger set's root stays, of equal
/// ones the smaller root).
class DisjointSets {
 public:
  explicit DisjointSets(std::size_t size) : parent_(size), size_(size, 1) {
    std::iota(parent_.begin(), parent_.end(), std::int32_t{0});
  }

  std::int32_t root(std::int32_t member) {
    while (parent_[index(member)] != member) {
      std::int32_t& parent = parent_[index(member)];
      parent = parent_[index(parent)];
      member = parent;
    }
    return member;
  }

  /// Requires: two different roots. Gives the root of both.
  std::int32_t unite(std::int32_t a, std::int32_t b) {
    if (size_[index(a)] < size_[index(b)] || (size_[index(a)] == size_[index(b)] && b < a)) std::swap(a, b);
    parent_[index(b)] = a;
    size_[index(a)] += size_[index(b)];
    return a;
  }

  std::int64_t size_of(std::int32_t root) const { return size_[index(root)]; }

 private:
  static std::size_t index(std::int32_t member) { return static_cast<std::size_t>(member); }

  std::vector<std::int32_t> parent_;
  std::vector<std::int64_t> size_;
};

}  // namespace seedbed::superpixel
