#pragma once

#include <filesystem>

namespace seedbed::store {

/// Exclusive right to write one store, held by `flock` on "<store>.lock" until this goes or the process dies. The file's
/// content only names the holder, for the message that a second writer gets.
class WriterLock {
 public:
  /// Throws: UserError that names the holder, or says that the lock file cannot be made.
  explicit WriterLock(const std::filesystem::path& store_file);
  ~WriterLock();
  WriterLock(const WriterLock&) = delete;
  WriterLock& operator=(const WriterLock&) = delete;

 private:
  std::filesystem::path file_;
  int descriptor_ = -1;
};

}  // namespace seedbed::store
