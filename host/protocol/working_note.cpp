#include "protocol/working_note.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstring>
#include <fstream>
#include <system_error>

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

namespace seedbed::protocol {
namespace {

using Text = std::array<char, 256>;

struct Entry {
  Text stage_key;
  Text image_id;
};

// The writer may die in the middle of an entry, so it fills the one that `count` does not name, then names it.
struct Layout {
  std::atomic<std::uint64_t> count;  ///< entries written; 0 = none
  std::array<Entry, 2> entries;
};
static_assert(std::atomic<std::uint64_t>::is_always_lock_free);

void put(Text& text, std::string_view value) {
  const std::size_t length = std::min(value.size(), text.size() - 1);
  std::memcpy(text.data(), value.data(), length);
  text[length] = '\0';
}

std::string text_of(const Text& text) { return {text.data(), ::strnlen(text.data(), text.size())}; }

}  // namespace

std::filesystem::path working_note_path(const std::filesystem::path& log_file) {
  return log_file.string() + ".working";
}

WorkingNote::WorkingNote(const std::filesystem::path& file) : file_(file) {
  const int descriptor = ::open(file.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (descriptor < 0) return;
  if (::ftruncate(descriptor, sizeof(Layout)) == 0) {
    void* mapping = ::mmap(nullptr, sizeof(Layout), PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    if (mapping != MAP_FAILED) mapping_ = mapping;
  }
  ::close(descriptor);
}

WorkingNote::~WorkingNote() {
  if (mapping_ != nullptr) ::munmap(mapping_, sizeof(Layout));
  std::error_code ignored;
  std::filesystem::remove(file_, ignored);
}

void WorkingNote::write(std::string_view stage_key, std::string_view image_id) {
  if (mapping_ == nullptr) return;
  auto& layout = *static_cast<Layout*>(mapping_);
  const std::uint64_t count = layout.count.load(std::memory_order_relaxed) + 1;
  Entry& entry = layout.entries[count % 2];
  put(entry.stage_key, stage_key);
  put(entry.image_id, image_id);
  layout.count.store(count, std::memory_order_release);
}

std::optional<WorkingOn> read_working_note(const std::filesystem::path& file) {
  std::array<char, sizeof(Layout)> bytes{};
  std::ifstream stream(file, std::ios::binary);
  if (!stream.read(bytes.data(), bytes.size())) return std::nullopt;
  std::uint64_t count = 0;
  std::memcpy(&count, bytes.data() + offsetof(Layout, count), sizeof count);
  if (count == 0) return std::nullopt;
  Entry entry;
  std::memcpy(&entry, bytes.data() + offsetof(Layout, entries) + (count % 2) * sizeof(Entry), sizeof entry);
  return WorkingOn{text_of(entry.stage_key), text_of(entry.image_id)};
}

}  // namespace seedbed::protocol
