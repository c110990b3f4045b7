#include "store/writer_lock.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <string>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fmt/format.h>

#include "seedbed/error.hpp"

namespace seedbed::store {
namespace fs = std::filesystem;
namespace {

std::string holder_of(int descriptor) {
  std::array<char, 512> text{};
  const ssize_t count = ::pread(descriptor, text.data(), text.size(), 0);
  const std::string holder(text.data(), count > 0 ? static_cast<std::size_t>(count) : 0);
  return holder.empty() ? "unknown" : holder.substr(0, holder.find('\n'));
}

std::string own_name() {
  std::array<char, 256> host{};
  ::gethostname(host.data(), host.size() - 1);
  return fmt::format("process {} on {}\n", ::getpid(), host.data());
}

// False where the last holder removed the file between our open and our lock: then the lock is on nothing.
bool is_still_there(int descriptor, const fs::path& file) {
  struct stat held {};
  struct stat named {};
  return ::fstat(descriptor, &held) == 0 && ::stat(file.c_str(), &named) == 0 && held.st_dev == named.st_dev &&
         held.st_ino == named.st_ino;
}

}  // namespace

WriterLock::WriterLock(const fs::path& store_file) : file_(store_file.string() + ".lock") {
  while (true) {
    const int descriptor = ::open(file_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (descriptor < 0) {
      throw UserError(store_file.string(),
                      fmt::format("The store's folder cannot be written: `{}`.", std::strerror(errno)),
                      "check its permissions and free space, or give another place with --store");
    }
    if (::flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
      const int error = errno;
      const std::string holder = holder_of(descriptor);
      ::close(descriptor);
      if (error == EINTR) continue;
      if (error != EWOULDBLOCK) {
        throw UserError(store_file.string(), fmt::format("The store cannot be locked: `{}`.", std::strerror(error)),
                        "put the store on a file system that has file locks");
      }
      throw UserError(store_file.string(), fmt::format("Another run is writing the store: `{}`.", holder),
                      "wait for it or stop it, or give another store with --store");
    }
    if (is_still_there(descriptor, file_)) {
      descriptor_ = descriptor;
      break;
    }
    ::close(descriptor);
  }
  const std::string name = own_name();
  // The lock holds whether or not the name could be written (a full disk).
  if (::ftruncate(descriptor_, 0) != 0 || ::pwrite(descriptor_, name.data(), name.size(), 0) < 0) errno = 0;
}

WriterLock::~WriterLock() {
  ::unlink(file_.c_str());  // while still held, so that nobody else's lock file can go
  ::close(descriptor_);
}

}  // namespace seedbed::store
