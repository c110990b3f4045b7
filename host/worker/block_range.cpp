#include "worker/block_range.hpp"

#include <algorithm>
#include <iterator>

#include <sys/mman.h>

namespace seedbed::worker {
namespace {

constexpr std::size_t kAlignment = 64;       ///< of a cache line, and of LibTorch's tensors
constexpr std::size_t kHugePage = 2 << 20;   ///< one fault and one TLB entry in place of 512, where the system has them
constexpr std::size_t kGrowth = 64UL << 20;  ///< by so much the writable part grows at least

std::size_t rounded_up(std::size_t value, std::size_t unit) { return (value + unit - 1) / unit * unit; }

void* pointer_to(std::uintptr_t address) { return reinterpret_cast<void*>(address); }

}  // namespace

BlockRange::BlockRange(std::size_t reserve_bytes) {
  // Aligned to a huge page by hand: the system aligns to its own pages.
  const std::size_t mapped_bytes = reserve_bytes + kHugePage;
  void* mapped = ::mmap(nullptr, mapped_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapped == MAP_FAILED) return;
  const auto address = reinterpret_cast<std::uintptr_t>(mapped);
  begin_ = rounded_up(address, kHugePage);
  end_ = begin_ + reserve_bytes;
  usable_ = begin_;
  if (begin_ > address) ::munmap(mapped, begin_ - address);
  if (address + mapped_bytes > end_) ::munmap(pointer_to(end_), address + mapped_bytes - end_);
}

BlockRange::~BlockRange() {
  if (end_ > begin_) ::munmap(pointer_to(begin_), end_ - begin_);
}

bool BlockRange::holds(const void* pointer) const {
  const auto address = reinterpret_cast<std::uintptr_t>(pointer);
  return address >= begin_ && address < end_;
}

BlockRange::Use BlockRange::use() const {
  const std::lock_guard lock(mutex_);
  return use_;
}

void* BlockRange::take(std::size_t bytes) {
  const std::lock_guard lock(mutex_);
  if (bytes > end_ - begin_) return nullptr;
  const std::size_t size = rounded_up(bytes, kAlignment);
  auto block = best_fit(size);
  if (block == free_.end()) {
    if (!extend(size)) return nullptr;
    block = best_fit(size);
  }
  const std::uintptr_t address = carve(block, size);
  taken_.emplace(address, size);
  bound_what_is_kept();
  return pointer_to(address);
}

void BlockRange::give_back(void* block) {
  const std::lock_guard lock(mutex_);
  const auto taken = taken_.find(reinterpret_cast<std::uintptr_t>(block));
  const std::size_t size = taken->second;
  use_.live_bytes -= size;
  insert(taken->first, {size, size});
  taken_.erase(taken);
}

// The smallest that is large enough; the lowest of equals. There are some hundred of them at most, looked through in less
// time than one of their pages takes to fault.
BlockRange::FreeBlocks::iterator BlockRange::best_fit(std::size_t size) {
  auto best = free_.end();
  for (auto block = free_.begin(); block != free_.end(); ++block) {
    if (block->second.size < size) continue;
    if (best == free_.end() || block->second.size < best->second.size) best = block;
  }
  return best;
}

// Takes the front. Which part of a block has memory is not known where not all of it has, so the front is counted as new
// and the rest as having as much as it can.
std::uintptr_t BlockRange::carve(FreeBlocks::iterator block, std::size_t size) {
  const auto [address, whole] = *block;
  free_.erase(block);
  const std::size_t rest = whole.size - size;
  const std::size_t rest_resident = std::min(whole.resident, rest);
  if (rest > 0) free_[address + size] = {rest, rest_resident};
  use_.resident_bytes += size + rest_resident - whole.resident;
  use_.live_bytes += size;
  use_.peak_live_bytes = std::max(use_.peak_live_bytes, use_.live_bytes);
  return address;
}

// Makes more addresses writable, so that the last free block has `size` bytes.
bool BlockRange::extend(std::size_t size) {
  std::size_t there = 0;
  if (!free_.empty()) {
    const auto& [address, last] = *free_.rbegin();
    if (address + last.size == usable_) there = last.size;
  }
  const std::size_t least = rounded_up(size - there, kHugePage);
  for (const std::size_t growth :
       {std::max(least, kGrowth), least}) {  // the second within a limit that forbids the first
    if (growth > end_ - usable_) continue;
    if (::mprotect(pointer_to(usable_), growth, PROT_READ | PROT_WRITE) != 0) continue;
    ::madvise(pointer_to(usable_), growth, MADV_HUGEPAGE);  // a wish: kernels without it refuse
    insert(usable_, {growth, 0});
    usable_ += growth;
    return true;
  }
  return false;
}

void BlockRange::insert(std::uintptr_t address, Free block) {
  const auto next = free_.lower_bound(address);
  if (next != free_.begin()) {
    const auto before = std::prev(next);
    if (before->first + before->second.size == address) {
      address = before->first;
      block.size += before->second.size;
      block.resident += before->second.resident;
      free_.erase(before);
    }
  }
  if (next != free_.end() && address + block.size == next->first) {
    block.size += next->second.size;
    block.resident += next->second.resident;
    free_.erase(next);
  }
  free_[address] = block;
}

// Releases the smallest hole that suffices, or the largest ones until they do.
void BlockRange::bound_what_is_kept() {
  const std::size_t most = use_.peak_live_bytes + use_.peak_live_bytes / 2;
  while (use_.resident_bytes > most) {
    const std::size_t excess = use_.resident_bytes - most;
    auto chosen = free_.end();
    for (auto block = free_.begin(); block != free_.end(); ++block) {
      const std::size_t resident = block->second.resident;
      if (resident == 0) continue;
      if (chosen == free_.end()) {
        chosen = block;
        continue;
      }
      const std::size_t best = chosen->second.resident;
      if (best < excess ? resident > best : resident >= excess && resident < best) chosen = block;
    }
    if (chosen == free_.end()) return;
    release(chosen->first, chosen->second);
  }
}

// Whole pages only; what of the first and the last one lies in the block stays, and is forgotten: two pages a block.
void BlockRange::release(std::uintptr_t address, Free& block) {
  constexpr std::size_t kPage = 4096;
  const std::uintptr_t first = rounded_up(address, kPage), last = (address + block.size) / kPage * kPage;
  if (last > first) ::madvise(pointer_to(first), last - first, MADV_DONTNEED);
  use_.resident_bytes -= block.resident;
  block.resident = 0;
}

void BlockRange::trim() {
  const std::lock_guard lock(mutex_);
  for (auto& [address, block] : free_) release(address, block);
  if (!free_.empty()) {
    const auto [address, last] = *free_.rbegin();
    const std::uintptr_t kept = rounded_up(address, kHugePage);
    if (address + last.size == usable_ && kept < usable_ &&
        ::mprotect(pointer_to(kept), usable_ - kept, PROT_NONE) == 0) {
      usable_ = kept;  // no longer counted by a limit of the data segment
      if (kept > address) {
        free_[address].size = kept - address;
      } else {
        free_.erase(address);
      }
    }
  }
  use_.peak_live_bytes = use_.live_bytes;
}

}  // namespace seedbed::worker
