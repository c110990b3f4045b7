#include "weights/byte_block.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include "weights/mapped_file.hpp"

namespace seedbed::weights {

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
  return block;
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
