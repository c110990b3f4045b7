#include "weights/zip_archive.hpp"

#include <algorithm>
#include <limits>
#include <utility>

#include <zlib.h>

#include "weights/bounded_reader.hpp"
#include "weights/inflate.hpp"
#include "weights/refusal.hpp"

// The format: PKWARE's APPNOTE 6.3, sections 4.3 (records), 4.4 (fields), 4.5.3 (zip64 sizes).
namespace seedbed::weights {
namespace {

constexpr std::uint32_t kLocalHeader = 0x04034b50;
constexpr std::uint32_t kDirectoryEntry = 0x02014b50;
constexpr std::uint32_t kDirectoryEnd = 0x06054b50;
constexpr std::uint32_t kDirectoryEnd64 = 0x06064b50;
constexpr std::uint32_t kDirectoryEnd64Locator = 0x07064b50;
constexpr std::size_t kDirectoryEndBytes = 22;
constexpr std::size_t kLocatorBytes = 20;
constexpr std::size_t kLocalHeaderBytes = 30;
constexpr std::uint16_t kSizes64Field = 0x0001;
constexpr std::uint32_t kIn64 = std::numeric_limits<std::uint32_t>::max();  // "see the zip64 field"
constexpr std::uint16_t kEncrypted = 1 << 0;
constexpr std::uint16_t kStored = 0;
constexpr std::uint16_t kDeflated = 8;

// One entry of the directory as it stands there.
struct Entry {
  ZipMember member;
  std::uint64_t header_offset = 0;
  std::uint16_t flags = 0;
  std::uint16_t method = 0;
};

// The zip64 field holds, in this order, only those values that did not fit into 32 bits.
void read_sizes64(Entry& entry, std::string_view extra, std::string_view where) {
  BoundedReader fields(extra, where, "zip directory");
  while (fields.remaining() >= 4) {
    const auto id = fields.number<std::uint16_t>();
    const std::string_view content = fields.take(fields.number<std::uint16_t>());
    if (id != kSizes64Field) continue;
    BoundedReader sizes(content, where, "zip directory");
    for (std::uint64_t* value : {&entry.member.num_bytes, &entry.member.compressed_bytes, &entry.header_offset}) {
      if (*value == kIn64) *value = sizes.number<std::uint64_t>();
    }
    return;
  }
}

Entry read_entry(BoundedReader& reader) {
  Entry entry;
  if (reader.number<std::uint32_t>() != kDirectoryEntry) {
    refuse(reader.where(), "The archive is damaged: its directory holds something else.");
  }
  reader.skip(4);  // versions
  entry.flags = reader.number<std::uint16_t>();
  entry.method = reader.number<std::uint16_t>();
  reader.skip(4);  // time and date
  entry.member.checksum = reader.number<std::uint32_t>();
  entry.member.compressed_bytes = reader.number<std::uint32_t>();
  entry.member.num_bytes = reader.number<std::uint32_t>();
  const auto name_bytes = reader.number<std::uint16_t>();
  const auto extra_bytes = reader.number<std::uint16_t>();
  const auto comment_bytes = reader.number<std::uint16_t>();
  reader.skip(8);  // volume, attributes
  entry.header_offset = reader.number<std::uint32_t>();
  entry.member.name = reader.take(name_bytes);
  read_sizes64(entry, reader.take(extra_bytes), reader.where());
  reader.skip(comment_bytes);
  return entry;
}

bool leaves_its_folder(std::string_view name) {
  const bool odd_character =
      std::any_of(name.begin(), name.end(), [](unsigned char c) { return c == '\\' || c < ' '; });
  const std::string in_slashes = "/" + std::string(name) + "/";
  return name.empty() || odd_character || name.front() == '/' || in_slashes.find("/../") != std::string::npos;
}

void check_entry(const Entry& entry, std::string_view where) {
  const ZipMember& member = entry.member;
  if (leaves_its_folder(member.name)) {
    refuse(where, "The archive holds a member whose name is no plain path: " + in_backticks(member.name) + ".");
  }
  if (entry.flags & kEncrypted) refuse(where, "The archive is encrypted: " + in_backticks(member.name) + ".");
  if (entry.method != kStored && entry.method != kDeflated) {
    refuse(where, "The archive compresses a member in a way that is not read: " + in_backticks(member.name) + ".",
           "accepted: stored, deflate");
  }
  if (entry.method == kStored && member.num_bytes != member.compressed_bytes) {
    refuse(where, "The archive is damaged: a stored member has two sizes: " + in_backticks(member.name) + ".");
  }
}

}  // namespace

struct ZipArchive::Directory {
  std::uint64_t offset = 0;
  std::uint64_t num_bytes = 0;
  std::uint64_t num_entries = 0;
};

bool ZipArchive::is_zip(const ByteBlock& bytes) { return bytes.text().starts_with("PK\x03\x04"); }

ZipArchive::ZipArchive(ByteBlock archive, std::string where) : where_(std::move(where)), archive_(std::move(archive)) {
  const Directory directory = find_directory();
  read_directory(directory);
  refuse_overlap(directory.offset);
}

// The directory's end is the last record of the file; only a comment of known length may follow.
ZipArchive::Directory ZipArchive::find_directory() const {
  const std::string_view text = archive_.text();
  constexpr std::string_view kMark("PK\x05\x06", 4);
  const std::size_t end = text.rfind(kMark);
  if (end == std::string_view::npos) refuse(where_, "The archive is cut short: it has no directory.");
  BoundedReader reader(text, where_, "zip directory", end + 4);
  Directory directory;
  const bool several_volumes = reader.number<std::uint32_t>() != 0;
  reader.skip(2);
  directory.num_entries = reader.number<std::uint16_t>();
  directory.num_bytes = reader.number<std::uint32_t>();
  directory.offset = reader.number<std::uint32_t>();
  reader.skip(reader.number<std::uint16_t>());
  if (several_volumes) refuse(where_, "The archive is one volume of several.");
  if (end >= kLocatorBytes) {
    BoundedReader locator(text, where_, "zip directory", end - kLocatorBytes);
    if (locator.number<std::uint32_t>() == kDirectoryEnd64Locator) {
      locator.skip(4);
      BoundedReader end64(text, where_, "zip directory", locator.number<std::uint64_t>());
      if (end64.number<std::uint32_t>() != kDirectoryEnd64) refuse(where_, "The archive's zip64 directory is damaged.");
      end64.skip(28);
      directory.num_entries = end64.number<std::uint64_t>();
      directory.num_bytes = end64.number<std::uint64_t>();
      directory.offset = end64.number<std::uint64_t>();
    }
  }
  return directory;
}

void ZipArchive::read_directory(const Directory& directory) {
  BoundedReader whole(archive_.text(), where_, "zip directory", directory.offset);
  BoundedReader reader(whole.take(directory.num_bytes), where_, "zip directory");
  std::uint64_t total = 0;
  for (std::uint64_t i = 0; i < directory.num_entries; ++i) {
    Entry entry = read_entry(reader);
    if (entry.member.name.ends_with('/')) continue;
    check_entry(entry, where_);
    entry.member.deflated = entry.method == kDeflated;
    entry.member.offset = data_offset(entry.header_offset, entry.member);
    if (__builtin_add_overflow(total, entry.member.num_bytes, &total) ||
        total > largest_inflated_bytes(archive_.size())) {
      refuse(where_, "The archive would become too large; it looks like a zip bomb.");
    }
    if (!index_.emplace(entry.member.name, members_.size()).second) {
      refuse(where_, "The archive holds a member twice: " + in_backticks(entry.member.name) + ".");
    }
    members_.push_back(std::move(entry.member));
  }
}

// The local header repeats the directory's entry; of it only the lengths of its name and extra field count here.
std::uint64_t ZipArchive::data_offset(std::uint64_t header_offset, const ZipMember& member) const {
  BoundedReader reader(archive_.text(), where_, "zip member", header_offset);
  const auto mark = reader.number<std::uint32_t>();
  reader.skip(kLocalHeaderBytes - 8);
  const auto name_bytes = reader.number<std::uint16_t>();
  const auto extra_bytes = reader.number<std::uint16_t>();
  if (mark != kLocalHeader || reader.take(name_bytes) != member.name) {
    refuse(where_, "The archive is damaged: directory and member differ: " + in_backticks(member.name) + ".");
  }
  reader.skip(extra_bytes);
  const std::size_t offset = reader.position();
  reader.skip(member.compressed_bytes);
  return offset;
}

void ZipArchive::refuse_overlap(std::uint64_t directory_offset) const {
  std::vector<const ZipMember*> by_offset;
  for (const ZipMember& member : members_) by_offset.push_back(&member);
  std::sort(by_offset.begin(), by_offset.end(), [](auto* a, auto* b) { return a->offset < b->offset; });
  std::uint64_t end = directory_offset;
  for (auto member = by_offset.rbegin(); member != by_offset.rend(); ++member) {
    if ((*member)->offset + (*member)->compressed_bytes > end) {
      refuse(where_, "The archive's members overlap: " + in_backticks((*member)->name) + ".");
    }
    end = (*member)->offset - kLocalHeaderBytes - (*member)->name.size();
  }
}

const ZipMember* ZipArchive::find(std::string_view name) const {
  const auto found = index_.find(name);
  return found == index_.end() ? nullptr : &members_[found->second];
}

ByteBlock ZipArchive::read(const ZipMember& member) const {
  const ByteBlock content = archive_.part(member.offset, member.compressed_bytes);
  return member.deflated ? inflate_member(content, member.num_bytes, where_) : content;
}

ByteBlock ZipArchive::read_checked(const ZipMember& member) const {
  ByteBlock content = read(member);
  const auto* bytes = reinterpret_cast<const Bytef*>(content.data());
  if (member.checksum != 0 && ::crc32_z(0, bytes, content.size()) != member.checksum) {
    refuse(where_, "The archive is damaged: a checksum differs in " + in_backticks(member.name) + ".");
  }
  return content;
}

}  // namespace seedbed::weights
