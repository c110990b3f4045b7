#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>

namespace seedbed::digest {

/// $XDG_CACHE_HOME/seedbed, else ~/.cache/seedbed; empty where the environment names neither.
std::filesystem::path user_cache_folder();

/// SHA-256 digests of files, remembered across processes by device, inode, size and times, so that a data set or a
/// weights file is read once and not at every start.
///
/// A file written in the last two seconds is digested each time: its times cannot yet tell a second write from the
/// first. A cache that cannot be read or written costs time, never an error or a wrong digest.
/// Threads: [any-thread]. Several processes may share one folder.
class FileDigests {
 public:
  /// An empty folder path keeps the digests in memory alone.
  explicit FileDigests(std::filesystem::path folder = user_cache_folder());
  ~FileDigests();  ///< flushes
  FileDigests(const FileDigests&) = delete;
  FileDigests& operator=(const FileDigests&) = delete;

  /// Digest of the file's content. Throws: UserError if it cannot be read, or changes while it is read.
  std::string of(const std::filesystem::path& file);

  /// Writes what is new to the folder.
  void flush() noexcept;

  /// How many files were read, and not answered from the cache.
  std::size_t num_read() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace seedbed::digest
