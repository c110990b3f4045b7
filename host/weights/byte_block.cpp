#include "weights/byte_block.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "weights/mapped_file.hpp"

namespace seedbed::weights {

namespace {

// Fewer page faults for what is about to be filled or read at one go. Hints: where the system does not take them, the
// pages come one by one.
void advise(const std::span<std::byte>& bytes, int advice) {
  const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  const auto begin = reinterpret_cast<std::uintptr_t>(bytes.data()) / page * page;
  const auto end = reinterpret_cast<std::uintptr_t>(bytes.data()) + bytes.size();
  static_cast<void>(::madvise(reinterpret_cast<void*>(begin), end - begin, advice));
}

}  // namespace

ByteBlock ByteBlock::map(const std::filesystem::path& file) {
  const auto mapping = std::make_shared<MappedFile>(file);
  ByteBlock block;
  block.owner_ = mapping;
  block.bytes_ = mapping->bytes();
  block.mapped_ = true;
  return block;
}

ByteBlock ByteBlock::allocate(std::size_t num_bytes) {
  const auto memory = std::make_shared_for_overwrite<std::byte[]>(num_bytes);
  ByteBlock block;
  block.owner_ = memory;
  block.bytes_ = {memory.get(), num_bytes};
  constexpr std::size_t kLarge = std::size_t{4} << 20;
  if (num_bytes >= kLarge) advise(block.bytes_, MADV_HUGEPAGE);
  return block;
}

ByteBlock ByteBlock::copied() const {
  constexpr std::size_t kStep = std::size_t{4} << 20;
  const ByteBlock copy = allocate(size());
  for (std::size_t offset = 0; offset < size(); offset += kStep) {
    const ByteBlock step = part(offset, std::min(kStep, size() - offset));
    if (mapped_) advise(step.bytes_, MADV_POPULATE_READ);
    std::memcpy(copy.data() + offset, step.data(), step.size());
    step.release_pages();
  }
  return copy;
}

ByteBlock ByteBlock::part(std::size_t offset, std::size_t num_bytes) const {
  ByteBlock block = *this;
  block.bytes_ = bytes_.subspan(offset, num_bytes);
  return block;
}

void ByteBlock::release_pages() const {
  if (!mapped_) return;
  const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  const auto begin = (reinterpret_cast<std::uintptr_t>(data()) + page - 1) / page * page;
  const auto end = (reinterpret_cast<std::uintptr_t>(data()) + size()) / page * page;
  if (begin < end) ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
}

}  // namespace seedbed::weights
