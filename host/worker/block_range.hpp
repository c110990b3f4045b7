#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <unordered_map>

namespace seedbed::worker {

/// Large blocks from one range of addresses that belongs to nothing else, so that no small block can lie between two
/// free ones and keep them apart.
///
/// Freed memory is reused before any is taken from the system, because fresh pages cost faults and zeroing. What is kept
/// has a bound: resident memory never exceeds one and a half times the most that was in use at once. Beyond it holes go
/// back to the system. (A bound of once costs networks 5 to 10 % of their time, and one of twice brings nothing.)
///
/// Threads: [any-thread].
class BlockRange {
 public:
  struct Use {
    std::size_t live_bytes = 0;       ///< handed out now
    std::size_t peak_live_bytes = 0;  ///< the most that was handed out at once since the last trim()
    std::size_t resident_bytes = 0;   ///< at most: handed out or kept
  };

  /// Reserves addresses, no memory. Where the system refuses (a limit on addresses), the range holds nothing and take()
  /// returns null. `reserve_bytes`: a multiple of 2 MB.
  explicit BlockRange(std::size_t reserve_bytes);
  ~BlockRange();
  BlockRange(const BlockRange&) = delete;
  BlockRange& operator=(const BlockRange&) = delete;

  bool is_empty() const { return end_ == begin_; }

  /// `bytes` > 0, aligned to 64; null where the system gives no more.
  void* take(std::size_t bytes);

  /// `block`: of take().
  void give_back(void* block);

  bool holds(const void* pointer) const;

  /// Gives all that is not handed out back to the system, and forgets the peak.
  void trim();

  Use use() const;

 private:
  struct Free {
    std::size_t size = 0;
    std::size_t resident = 0;  ///< at most so much of it has memory
  };
  using FreeBlocks = std::map<std::uintptr_t, Free>;

  FreeBlocks::iterator best_fit(std::size_t size);
  std::uintptr_t carve(FreeBlocks::iterator block, std::size_t size);
  bool extend(std::size_t size);
  void insert(std::uintptr_t address, Free block);
  void bound_what_is_kept();
  void release(std::uintptr_t address, Free& block);

  mutable std::mutex mutex_;
  std::uintptr_t begin_ = 0, end_ = 0;
  std::uintptr_t usable_ = 0;  ///< addresses below it may be written
  FreeBlocks free_;            ///< no two touch
  std::unordered_map<std::uintptr_t, std::size_t> taken_;
  Use use_;
};

}  // namespace seedbed::worker
