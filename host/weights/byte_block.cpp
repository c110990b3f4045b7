#include "weights/byte_block.hpp"

#include <cerrno>
#include <cstring>
#include <string>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "weights/refusal.hpp"

namespace seedbed::weights {
namespace {

[[noreturn]] void refuse_unreadable(const std::filesystem::path& file) {
  refuse(file.string(), std::string("The file cannot be read: `") + std::strerror(errno) + "`.");
}

struct Descriptor {
  explicit Descriptor(const std::filesystem::path& file)
      // O_NONBLOCK: a named pipe without a writer would hold the program up.
      : number(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {
    if (number < 0) refuse_unreadable(file);
  }
  ~Descriptor() { ::close(number); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

  int number;
};

}  // namespace

ByteBlock ByteBlock::map(const std::filesystem::path& file) {
  const Descriptor descriptor(file);
  struct ::stat status {};
  if (::fstat(descriptor.number, &status) != 0) refuse_unreadable(file);
  if (!S_ISREG(status.st_mode)) refuse(file.string(), "This is no regular file.");
  if (status.st_size == 0) refuse(file.string(), "The file is empty.");
  const auto size = static_cast<std::size_t>(status.st_size);
  void* start = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE, descriptor.number, 0);
  if (start == MAP_FAILED) refuse_unreadable(file);
  ByteBlock block;
  block.owner_ = std::shared_ptr<void>(start, [size](void* mapping) { ::munmap(mapping, size); });
  block.bytes_ = {static_cast<std::byte*>(start), size};
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
