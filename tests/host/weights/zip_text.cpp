#include "host/weights/zip_text.hpp"

#include <zlib.h>

namespace seedbed::weights::testing {
namespace {

constexpr std::size_t kLocalHeaderBytes = 30;

template <typename T>
std::string bytes_of(T number) {
  return {reinterpret_cast<const char*>(&number), sizeof number};
}

std::uint32_t checksum_of(const std::string& content) {
  return static_cast<std::uint32_t>(
      ::crc32(0, reinterpret_cast<const Bytef*>(content.data()), static_cast<uInt>(content.size())));
}

// What local header and directory entry share: from the flags to the lengths.
std::string shared_part(const ZipText& member, const std::string& name, std::uint16_t extra_bytes) {
  const auto size = static_cast<std::uint32_t>(member.content.size());
  return bytes_of(member.flags) + bytes_of(member.method) + std::string(4, '\0') +
         bytes_of(member.checksum.value_or(checksum_of(member.content))) +
         bytes_of(member.compressed_bytes.value_or(size)) + bytes_of(member.num_bytes.value_or(size)) +
         bytes_of(static_cast<std::uint16_t>(name.size())) + bytes_of(extra_bytes);
}

std::uint16_t padding_of(const ZipText& member, std::size_t data_offset) {
  constexpr std::size_t kAlignment = 64;
  return member.aligned ? static_cast<std::uint16_t>((kAlignment - data_offset % kAlignment) % kAlignment) : 0;
}

}  // namespace

std::string zip_of(const std::vector<ZipText>& members) {
  std::string archive;
  std::string directory;
  for (const ZipText& member : members) {
    const auto offset = static_cast<std::uint32_t>(archive.size());
    const std::string local_name = member.local_name.value_or(member.name);
    const std::uint16_t padding = padding_of(member, archive.size() + kLocalHeaderBytes + local_name.size());
    archive += "PK\x03\x04" + std::string("\x14\0", 2) + shared_part(member, local_name, padding) + local_name +
               std::string(padding, '\0') + member.content;
    directory += "PK\x01\x02" + std::string("\x14\0\x14\0", 4) + shared_part(member, member.name, 0) +
                 std::string(10, '\0') + bytes_of(member.header_offset.value_or(offset)) + member.name;
  }
  const auto count = static_cast<std::uint16_t>(members.size());
  const auto directory_offset = static_cast<std::uint32_t>(archive.size());
  const auto directory_bytes = static_cast<std::uint32_t>(directory.size());
  return archive + directory + "PK\x05\x06" + std::string(4, '\0') + bytes_of(count) + bytes_of(count) +
         bytes_of(directory_bytes) + bytes_of(directory_offset) + std::string(2, '\0');
}

std::string pytorch_zip_of(const std::string& pickle, const std::string& storage) {
  return zip_of({{"archive/data.pkl", pickle}, {"archive/data/0", storage}});
}

std::string deflated(const std::string& content) {
  z_stream stream{};
  ::deflateInit2(&stream, Z_BEST_COMPRESSION, Z_DEFLATED, -MAX_WBITS, 9, Z_DEFAULT_STRATEGY);
  std::string output(::deflateBound(&stream, content.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(content.data()));
  stream.avail_in = static_cast<uInt>(content.size());
  stream.next_out = reinterpret_cast<Bytef*>(output.data());
  stream.avail_out = static_cast<uInt>(output.size());
  ::deflate(&stream, Z_FINISH);
  output.resize(stream.total_out);
  ::deflateEnd(&stream);
  return output;
}

}  // namespace seedbed::weights::testing
