#include "weights/mapped_file.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "seedbed/error.hpp"

namespace seedbed::weights {
namespace {

[[noreturn]] void fail(const std::filesystem::path& file, int error) {
  throw UserError(file.string(), "The file cannot be read: `" + std::string(std::strerror(error)) + "`.",
                  "Check that it exists, is a file and may be read.");
}

}  // namespace

MappedFile::MappedFile(const std::filesystem::path& file) {
  const int descriptor = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) fail(file, errno);
  struct stat status {};
  int error = ::fstat(descriptor, &status) != 0 ? errno : S_ISREG(status.st_mode) ? 0 : EISDIR;
  const auto size = static_cast<std::size_t>(status.st_size);
  if (error == 0 && size > 0) {  // an empty file cannot be mapped; it stays an empty span
    void* memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE, descriptor, 0);
    if (memory == MAP_FAILED) {
      error = errno;
    } else {
      bytes_ = {static_cast<std::byte*>(memory), size};
    }
  }
  ::close(descriptor);
  if (error != 0) fail(file, error);
}

MappedFile::~MappedFile() {
  if (!bytes_.empty()) ::munmap(bytes_.data(), bytes_.size());
}

}  // namespace seedbed::weights
