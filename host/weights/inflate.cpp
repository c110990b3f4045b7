#include "weights/inflate.hpp"

#include <algorithm>
#include <cstring>
#include <limits>

#include <zlib.h>

#include "weights/refusal.hpp"

namespace seedbed::weights {
namespace {

constexpr int kRawDeflate = -MAX_WBITS;
constexpr int kGzip = 16 + MAX_WBITS;

class Inflater {
 public:
  Inflater(const ByteBlock& input, int window_bits, std::string_view where) : input_(input), where_(where) {
    if (::inflateInit2(&stream_, window_bits) != Z_OK) throw std::bad_alloc();
  }
  ~Inflater() { ::inflateEnd(&stream_); }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;

  // Fills `output` as far as the data reaches. zlib counts in 32 bits, so both sides are handed over in pieces.
  std::size_t fill(std::span<std::byte> output) {
    constexpr std::size_t kPiece = std::numeric_limits<uInt>::max();
    std::size_t filled = 0;
    while (filled < output.size() && !ended_) {
      const std::size_t given = std::min(kPiece, input_.size() - consumed_);
      const std::size_t room = std::min(kPiece, output.size() - filled);
      stream_.next_in = reinterpret_cast<Bytef*>(input_.data() + consumed_);
      stream_.avail_in = static_cast<uInt>(given);
      stream_.next_out = reinterpret_cast<Bytef*>(output.data() + filled);
      stream_.avail_out = static_cast<uInt>(room);
      const int status = ::inflate(&stream_, Z_NO_FLUSH);
      consumed_ += given - stream_.avail_in;
      filled += room - stream_.avail_out;
      ended_ = status == Z_STREAM_END;
      if (status != Z_OK && !ended_) refuse(where_, "The compressed data is cut short or damaged.");
    }
    return filled;
  }

  // Whether nothing follows what fill() gave.
  bool at_end() {
    std::byte one_more{};
    return ended_ || fill({&one_more, 1}) == 0;
  }

 private:
  ByteBlock input_;
  std::string_view where_;
  z_stream stream_{};
  std::size_t consumed_ = 0;
  bool ended_ = false;
};

// What the last four bytes of a gzip file say it becomes.
std::uint64_t size_in_trailer(const ByteBlock& file) {
  std::uint32_t size = 0;
  if (file.size() >= sizeof size) std::memcpy(&size, file.data() + file.size() - sizeof size, sizeof size);
  return size;
}

}  // namespace

std::uint64_t largest_inflated_bytes(std::uint64_t file_bytes) {
  constexpr std::uint64_t kAlwaysAllowed = std::uint64_t{64} << 20;
  constexpr std::uint64_t kNeverAllowed = std::uint64_t{8} << 30;
  constexpr std::uint64_t kFold = 200;
  return std::clamp(std::min(file_bytes, kNeverAllowed) * kFold, kAlwaysAllowed, kNeverAllowed);
}

ByteBlock inflate_member(const ByteBlock& compressed, std::uint64_t num_bytes, std::string_view where) {
  ByteBlock output = ByteBlock::allocate(num_bytes);
  Inflater inflater(compressed, kRawDeflate, where);
  if (inflater.fill(output.bytes()) != num_bytes || !inflater.at_end()) {
    refuse(where, "The compressed data is not as long as the archive says.");
  }
  return output;
}

ByteBlock inflate_gzip(const ByteBlock& file, std::string_view where) {
  const std::uint64_t num_bytes = size_in_trailer(file);
  if (num_bytes > largest_inflated_bytes(file.size())) {
    refuse(where, "The compressed file would become too large: `" + std::to_string(num_bytes) + "` bytes.",
           "decompress it yourself if you trust it");
  }
  ByteBlock output = ByteBlock::allocate(num_bytes);
  Inflater inflater(file, kGzip, where);
  if (inflater.fill(output.bytes()) != num_bytes || !inflater.at_end()) {
    refuse(where, "The compressed file is damaged: its size is not the one it names.",
           "accepted: gzip with one member below 4 GiB");
  }
  return output;
}

}  // namespace seedbed::weights
