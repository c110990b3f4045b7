#include "digest/open_file.hpp"

#include <cerrno>
#include <cstring>
#include <limits>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

#include "digest/sha256.hpp"
#include "seedbed/error.hpp"

namespace seedbed::digest {
namespace {

[[noreturn]] void fail(const std::filesystem::path& file) {
  throw UserError(file.string(), std::string("the file cannot be read: `") + std::strerror(errno) + "`");
}

}  // namespace

OpenFile::OpenFile(const std::filesystem::path& file) : file_(file) {
  // O_NONBLOCK: a named pipe without a writer would hold the program up.
  descriptor_ = ::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor_ < 0) fail(file_);
  if (!S_ISREG(status().st_mode)) {
    ::close(descriptor_);
    throw UserError(file_.string(), "this is no regular file");
  }
}

OpenFile::~OpenFile() { ::close(descriptor_); }

struct ::stat OpenFile::status() const {
  struct ::stat status {};
  if (::fstat(descriptor_, &status) != 0) fail(file_);
  return status;
}

std::string OpenFile::sha256() const {
  Sha256 sha256;
  std::vector<std::byte> buffer(std::size_t{1} << 20);
  while (true) {
    const ssize_t count = ::read(descriptor_, buffer.data(), buffer.size());
    if (count == 0) return sha256.hex();
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail(file_);
    sha256.update(std::span<const std::byte>(buffer).first(static_cast<std::size_t>(count)));
  }
}

bool OpenFile::read_at(std::uint64_t offset, std::span<std::byte> into) const {
  while (!into.empty()) {
    if (offset > static_cast<std::uint64_t>(std::numeric_limits<off_t>::max())) return false;
    const ssize_t count = ::pread(descriptor_, into.data(), into.size(), static_cast<off_t>(offset));
    if (count == 0) return false;
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail(file_);
    offset += static_cast<std::uint64_t>(count);
    into = into.subspan(static_cast<std::size_t>(count));
  }
  return true;
}

}  // namespace seedbed::digest
