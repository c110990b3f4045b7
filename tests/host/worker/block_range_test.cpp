#include "worker/block_range.hpp"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <random>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

namespace seedbed::worker {
namespace {

constexpr std::size_t kMegabyte = 1 << 20;

/// Pages of [block, block + bytes) that the system gives memory for.
std::size_t resident_bytes(const void* block, std::size_t bytes) {
  const auto page = static_cast<std::size_t>(::getpagesize());
  const std::uintptr_t first = reinterpret_cast<std::uintptr_t>(block) / page * page;
  const std::size_t pages = (reinterpret_cast<std::uintptr_t>(block) + bytes - first + page - 1) / page;
  std::vector<unsigned char> flags(pages);
  EXPECT_EQ(::mincore(reinterpret_cast<void*>(first), pages * page, flags.data()), 0);
  return page * static_cast<std::size_t>(std::ranges::count_if(flags, [](unsigned char flag) { return flag & 1; }));
}

class BlockRangeTest : public ::testing::Test {
 protected:
  void* filled(std::size_t bytes) {
    void* block = range_.take(bytes);
    EXPECT_NE(block, nullptr);
    std::memset(block, 1, bytes);
    return block;
  }
  BlockRange range_{1UL << 30};
};

TEST_F(BlockRangeTest, UsesFreedMemoryAgain) {
  void* first = filled(10 * kMegabyte);
  void* second = filled(kMegabyte);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(first) % 64, 0);
  EXPECT_TRUE(range_.holds(first));
  EXPECT_FALSE(range_.holds(&range_));
  range_.give_back(first);
  EXPECT_EQ(range_.take(10 * kMegabyte), first);
  EXPECT_EQ(range_.use().live_bytes, 11 * kMegabyte);
  EXPECT_EQ(range_.use().resident_bytes, 11 * kMegabyte);
  range_.give_back(first);
  range_.give_back(second);
  EXPECT_EQ(range_.take(11 * kMegabyte), first) << "neighbours were not joined";
}

TEST_F(BlockRangeTest, TakesTheSmallestHoleThatSuffices) {
  void* large = filled(9 * kMegabyte);
  filled(kMegabyte);
  void* small = filled(5 * kMegabyte);
  filled(kMegabyte);
  range_.give_back(large);
  range_.give_back(small);
  EXPECT_EQ(range_.take(4 * kMegabyte), small);
  EXPECT_EQ(range_.take(4 * kMegabyte), large);
}

TEST_F(BlockRangeTest, BoundsWhatItKeeps) {
  void* hole = filled(16 * kMegabyte);
  filled(kMegabyte);
  range_.give_back(hole);
  EXPECT_GE(resident_bytes(hole, 16 * kMegabyte), 15 * kMegabyte) << "nothing asked for it yet";
  filled(17 * kMegabyte);  // does not fit into the hole, which goes back
  EXPECT_LE(range_.use().resident_bytes, 27 * kMegabyte);
  EXPECT_EQ(range_.use().peak_live_bytes, 18 * kMegabyte);
  EXPECT_LE(resident_bytes(hole, 16 * kMegabyte), 8192U);
}

TEST_F(BlockRangeTest, TrimsToWhatIsHandedOut) {
  void* low = filled(3 * kMegabyte);
  void* kept = filled(2 * kMegabyte);
  void* high = filled(200 * kMegabyte);
  range_.give_back(low);
  range_.give_back(high);
  range_.trim();
  EXPECT_EQ(range_.use().live_bytes, 2 * kMegabyte);
  EXPECT_EQ(range_.use().peak_live_bytes, 2 * kMegabyte);
  EXPECT_EQ(range_.use().resident_bytes, 2 * kMegabyte);
  EXPECT_LE(resident_bytes(low, 3 * kMegabyte), 8192U);
  EXPECT_EQ(static_cast<unsigned char*>(kept)[kMegabyte], 1);
  std::memset(filled(200 * kMegabyte), 2, 200 * kMegabyte);  // writable anew
}

TEST_F(BlockRangeTest, SaysNoWhereTheRangeOrTheSystemEnds) {
  EXPECT_EQ(range_.take(2UL << 30), nullptr);
  void* most = range_.take(1UL << 30);
  EXPECT_NE(most, nullptr);
  EXPECT_EQ(range_.take(64), nullptr);
  range_.give_back(most);
  range_.trim();
  rlimit before{}, tight{};
  ::getrlimit(RLIMIT_DATA, &before);
  tight = before;
  tight.rlim_cur = 1;
  ::setrlimit(RLIMIT_DATA, &tight);
  void* refused = range_.take(kMegabyte);
  ::setrlimit(RLIMIT_DATA, &before);
  EXPECT_EQ(refused, nullptr);
  EXPECT_NE(range_.take(kMegabyte), nullptr) << "a refusal must not break it";
}

TEST(EmptyBlockRange, HoldsNothing) {
  BlockRange range(std::size_t{1} << 62);  // more addresses than there are
  EXPECT_TRUE(range.is_empty());
  EXPECT_EQ(range.take(64), nullptr);
  EXPECT_FALSE(range.holds(&range));
}

// Random lives of blocks, each filled with its own byte: no two may overlap, and the counts must add up.
TEST_F(BlockRangeTest, KeepsBlocksApartInAnyOrder) {
  struct Block {
    unsigned char* memory;
    std::size_t bytes;
    unsigned char fill;
  };
  std::mt19937 random(1);
  std::vector<Block> blocks;
  std::size_t live = 0;
  const auto drop = [&](std::size_t i) {
    const Block block = blocks[i];
    EXPECT_TRUE(std::all_of(block.memory, block.memory + block.bytes, [&](auto byte) { return byte == block.fill; }));
    range_.give_back(block.memory);
    live -= (block.bytes + 63) / 64 * 64;
    blocks.erase(blocks.begin() + static_cast<std::ptrdiff_t>(i));
  };
  for (int step = 0; step < 1500; ++step) {
    if (blocks.size() > 40 || (random() % 3 == 0 && !blocks.empty())) {
      drop(random() % blocks.size());
      continue;
    }
    const std::size_t bytes = 1 + random() % (1U << (8 + random() % 12));
    auto* memory = static_cast<unsigned char*>(range_.take(bytes));
    ASSERT_NE(memory, nullptr);
    const auto fill = static_cast<unsigned char>(step);
    std::memset(memory, fill, bytes);
    blocks.push_back({memory, bytes, fill});
    live += (bytes + 63) / 64 * 64;
    ASSERT_EQ(range_.use().live_bytes, live);
    ASSERT_LE(2 * range_.use().resident_bytes, 3 * range_.use().peak_live_bytes);
    if (step % 500 == 499) range_.trim();
  }
  while (!blocks.empty()) drop(0);
  range_.trim();
  EXPECT_EQ(range_.use().resident_bytes, 0U);
}

TEST_F(BlockRangeTest, ServesThreadsAtOnce) {
  const auto work = [this](unsigned char fill) {
    for (int i = 0; i < 300; ++i) {
      const std::size_t bytes = 1000 + static_cast<std::size_t>(i) * 300;
      auto* block = static_cast<unsigned char*>(range_.take(bytes));
      std::memset(block, fill, bytes);
      EXPECT_EQ(std::count(block, block + bytes, fill), static_cast<std::ptrdiff_t>(bytes));
      range_.give_back(block);
    }
  };
  std::vector<std::thread> threads;
  for (unsigned char t = 1; t <= 4; ++t) threads.emplace_back(work, t);
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(range_.use().live_bytes, 0U);
}

}  // namespace
}  // namespace seedbed::worker
