#include "digest/file_digests.hpp"

#include <cerrno>
#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <map>
#include <mutex>
#include <optional>
#include <string_view>
#include <utility>

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "digest/open_file.hpp"
#include "digest/sha256.hpp"
#include "seedbed/error.hpp"

namespace seedbed::digest {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kNanosecondsPerSecond = 1'000'000'000;
constexpr std::int64_t kSettledAfter_ns = 2 * kNanosecondsPerSecond;  // the coarsest file systems' clocks
constexpr std::uintmax_t kLargestLog_bytes = std::uintmax_t{256} << 20;
constexpr std::size_t kStaleLinesAllowed = 1000;
constexpr std::size_t kDigestLength = 64;
constexpr std::size_t kCheckLength = 8;

using FileId = std::pair<std::uint64_t, std::uint64_t>;  // device, inode

// What changes whenever content does.
struct Stamp {
  std::int64_t size = 0;
  std::int64_t modified_ns = 0;
  std::int64_t changed_ns = 0;  // cannot be set back by a program, unlike the time of modification

  bool operator==(const Stamp&) const = default;
};

struct Remembered {
  Stamp stamp;
  std::string digest;
};

using Digests = std::map<FileId, Remembered>;

std::int64_t nanoseconds(const timespec& time) { return time.tv_sec * kNanosecondsPerSecond + time.tv_nsec; }

FileId id_of(const struct ::stat& status) { return {status.st_dev, status.st_ino}; }

Stamp stamp_of(const struct ::stat& status) {
  return {status.st_size, nanoseconds(status.st_mtim), nanoseconds(status.st_ctim)};
}

bool is_settled(const Stamp& stamp) {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return stamp.changed_ns + kSettledAfter_ns < nanoseconds(now) &&
         stamp.modified_ns + kSettledAfter_ns < nanoseconds(now);
}

std::string line_of(const FileId& id, const Remembered& entry) {
  std::string text;
  for (const auto number : {id.first, id.second}) text += std::to_string(number) + ' ';
  for (const auto number : {entry.stamp.size, entry.stamp.modified_ns, entry.stamp.changed_ns}) {
    text += std::to_string(number) + ' ';
  }
  text += entry.digest + ' ';
  return text + sha256_hex(text).substr(0, kCheckLength) + '\n';
}

// Takes the number and the space behind it off the front of `text`.
template <typename Number>
bool take(std::string_view& text, Number& number) {
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failure != std::errc() || end == text.data() + text.size() || *end != ' ') return false;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()) + 1);
  return true;
}

std::optional<std::pair<FileId, Remembered>> entry_from(std::string_view line) {
  if (line.size() <= kCheckLength) return std::nullopt;
  std::string_view text = line.substr(0, line.size() - kCheckLength);
  if (sha256_hex(text).substr(0, kCheckLength) != line.substr(text.size())) return std::nullopt;
  FileId id;
  Stamp stamp;
  const bool fine = take(text, id.first) && take(text, id.second) && take(text, stamp.size) &&
                    take(text, stamp.modified_ns) && take(text, stamp.changed_ns);
  if (!fine || text.size() != kDigestLength + 1) return std::nullopt;
  return std::pair(id, Remembered{stamp, std::string(text.substr(0, kDigestLength))});
}

struct Log {
  Digests digests;
  std::size_t num_lines = 0;
};

Log read_log(const fs::path& file) {
  Log log;
  std::error_code failure;
  const std::uintmax_t size = fs::file_size(file, failure);
  if (failure || size > kLargestLog_bytes) return log;
  std::ifstream stream(file);
  for (std::string line; std::getline(stream, line); ++log.num_lines) {
    if (auto entry = entry_from(line)) log.digests.insert_or_assign(entry->first, std::move(entry->second));
  }
  return log;
}

bool write_all(int descriptor, std::string_view text) {
  while (!text.empty()) {
    const ssize_t count = ::write(descriptor, text.data(), text.size());
    if (count < 0 && errno != EINTR) return false;
    if (count > 0) text.remove_prefix(static_cast<std::size_t>(count));
  }
  return true;
}

class Descriptor {
 public:
  Descriptor(const fs::path& file, int flags) : value_(::open(file.c_str(), flags | O_CLOEXEC, 0644)) {}
  ~Descriptor() {
    if (value_ >= 0) ::close(value_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return value_; }

 private:
  int value_;
};

void append(const fs::path& file, const Digests& fresh) {
  const Descriptor log(file, O_WRONLY | O_CREAT | O_APPEND);
  // A line that a crash tore may stand last: what follows begins on a line of its own.
  std::string text = "\n";
  for (const auto& [id, entry] : fresh) text += line_of(id, entry);
  if (log.get() >= 0) write_all(log.get(), text);
}

void rewrite(const fs::path& file, const Digests& all) {
  const fs::path aside = file.string() + ".fresh";
  {
    const Descriptor log(aside, O_WRONLY | O_CREAT | O_TRUNC);
    std::string text;
    for (const auto& [id, entry] : all) text += line_of(id, entry);
    if (log.get() < 0 || !write_all(log.get(), text)) return;
  }
  std::error_code ignored;
  fs::rename(aside, file, ignored);
}

}  // namespace

fs::path user_cache_folder() {
  // The XDG specification: a relative path is to be ignored.
  if (const char* folder = std::getenv("XDG_CACHE_HOME"); folder && fs::path(folder).is_absolute()) {
    return fs::path(folder) / "seedbed";
  }
  if (const char* home = std::getenv("HOME"); home && *home) return fs::path(home) / ".cache" / "seedbed";
  return {};
}

struct FileDigests::State {
  fs::path folder;
  mutable std::mutex mutex;
  bool loaded = false;
  Digests known;
  Digests fresh;  // known, and not yet in the folder
  std::size_t num_read = 0;

  std::optional<std::string> recall(const FileId& id, const Stamp& stamp) {
    const std::lock_guard lock(mutex);
    if (!loaded && !folder.empty()) known = read_log(folder / "digests").digests;
    loaded = true;
    const auto found = known.find(id);
    if (found == known.end() || !(found->second.stamp == stamp)) return std::nullopt;
    return found->second.digest;
  }

  void remember(const FileId& id, const Stamp& stamp, const std::string& digest) {
    const bool settled = is_settled(stamp);
    const std::lock_guard lock(mutex);
    ++num_read;
    if (!settled) return;
    known.insert_or_assign(id, Remembered{stamp, digest});
    fresh.insert_or_assign(id, Remembered{stamp, digest});
  }
};

FileDigests::FileDigests(fs::path folder) : state_(std::make_unique<State>()) { state_->folder = std::move(folder); }

FileDigests::~FileDigests() { flush(); }

std::string FileDigests::of(const fs::path& file) {
  const OpenFile open(file);
  const struct ::stat before = open.status();
  if (auto digest = state_->recall(id_of(before), stamp_of(before))) return *digest;
  std::string digest = open.sha256();
  if (!(stamp_of(before) == stamp_of(open.status()))) {
    throw UserError(file.string(), "the file changed while it was read", "run again when nothing writes to it");
  }
  state_->remember(id_of(before), stamp_of(before), digest);
  return digest;
}

void FileDigests::flush() noexcept try {
  const std::lock_guard lock(state_->mutex);
  if (state_->fresh.empty() || state_->folder.empty()) return;
  std::error_code ignored;
  fs::create_directories(state_->folder, ignored);
  const Descriptor turn(state_->folder / "digests.lock", O_RDWR | O_CREAT);
  if (turn.get() < 0 || ::flock(turn.get(), LOCK_EX) != 0) return;
  const fs::path file = state_->folder / "digests";
  Log log = read_log(file);
  if (log.num_lines > 2 * log.digests.size() + kStaleLinesAllowed) {
    for (const auto& [id, entry] : state_->fresh) log.digests.insert_or_assign(id, entry);
    rewrite(file, log.digests);
  } else {
    append(file, state_->fresh);
  }
  state_->fresh.clear();
} catch (...) {
  // A cache that cannot be written costs time at the next start and nothing else.
}

std::size_t FileDigests::num_read() const {
  const std::lock_guard lock(state_->mutex);
  return state_->num_read;
}

}  // namespace seedbed::digest
