#include "vocabulary.hpp"

#include <memory>
#include <string_view>

#include <zlib.h>

#include "seedbed/error.hpp"
#include "unicode.hpp"

namespace seedbed::clip {
namespace {

constexpr std::int64_t kBytes = 256;
constexpr std::string_view kEndOfWord = "</w>";
// CLIP's file holds 3.2 MB; what unpacks to far more is something else.
constexpr std::size_t kMostBytes = 64 << 20;

struct CloseGzip {
  void operator()(gzFile file) const { ::gzclose(file); }
};

// zlib hands plain files through as they are.
std::string read_text(const std::string& path) {
  const std::unique_ptr<gzFile_s, CloseGzip> file(::gzopen(path.c_str(), "rb"));
  if (!file) throw UserError(path, "this vocabulary cannot be read", "CLIP's `bpe_simple_vocab_16e6.txt.gz`");
  std::string text;
  constexpr unsigned kPiece = 1 << 20;
  while (true) {
    const std::size_t before = text.size();
    text.resize(before + kPiece);
    const int got = ::gzread(file.get(), text.data() + before, kPiece);
    text.resize(before + static_cast<std::size_t>(got > 0 ? got : 0));
    int status = Z_OK;
    ::gzerror(file.get(), &status);
    if (got < 0 || (status != Z_OK && status != Z_STREAM_END)) {
      throw UserError(path, "this vocabulary is cut short or damaged", "the file as it was published");
    }
    if (text.size() > kMostBytes) {
      throw UserError(path, "this vocabulary is too large: over `" + std::to_string(kMostBytes >> 20) + "` MB",
                      "CLIP's `bpe_simple_vocab_16e6.txt.gz`");
    }
    if (got == 0) return text;
  }
}

// GPT-2's alphabet: printable bytes of Latin-1 stand for themselves, the others for code points from 256 on.
bool stands_for_itself(std::int64_t byte) {
  return (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
}

// Byte by id, in the order of CLIP's ids: first those that stand for themselves.
std::array<std::int64_t, kBytes> bytes_in_order() {
  std::array<std::int64_t, kBytes> bytes{};
  std::size_t next = 0;
  for (const bool wanted : {true, false}) {
    for (std::int64_t byte = 0; byte < kBytes; ++byte) {
      if (stands_for_itself(byte) == wanted) bytes[next++] = byte;
    }
  }
  return bytes;
}

std::uint64_t pair_key(std::int64_t left, std::int64_t right) {
  return static_cast<std::uint64_t>(left) << 32U | static_cast<std::uint64_t>(right);
}

// The lines of a text, one by one, without their ends.
class Lines {
 public:
  explicit Lines(std::string_view text) : rest_(text) {}

  bool next(std::string_view& line) {
    if (rest_.empty()) return false;
    const std::size_t end = std::min(rest_.find('\n'), rest_.size());
    line = rest_.substr(0, end);
    if (line.ends_with('\r')) line.remove_suffix(1);
    rest_.remove_prefix(std::min(end + 1, rest_.size()));
    ++number_;
    return true;
  }
  std::int64_t number() const { return number_; }

 private:
  std::string_view rest_;
  std::int64_t number_ = 0;
};

}  // namespace

Vocabulary::Vocabulary(const std::string& path, std::int64_t size) : size_(size) {
  const std::int64_t num_merges = size - 2 * kBytes - 2;
  std::unordered_map<std::string, std::int64_t> ids;
  const auto bytes = bytes_in_order();
  char32_t stand_in = kBytes;
  for (std::int64_t id = 0; id < kBytes; ++id) {
    const std::int64_t byte = bytes[static_cast<std::size_t>(id)];
    byte_ids_[static_cast<std::size_t>(byte)] = id;
    const char32_t point = stands_for_itself(byte) ? static_cast<char32_t>(byte) : stand_in++;
    const std::string symbol = encoded_utf8({&point, 1});
    ids[symbol] = id;
    ids[symbol + std::string(kEndOfWord)] = kBytes + id;
  }

  const std::string text = read_text(path);
  Lines lines(text);
  std::string_view line;
  lines.next(line);  // the header
  for (std::int64_t rank = 0; rank < num_merges; ++rank) {
    const std::int64_t merged = 2 * kBytes + rank;
    if (!lines.next(line)) {
      throw UserError(path, "this vocabulary holds too few merges: `" + std::to_string(rank) + "`",
                      "`" + std::to_string(num_merges) + "` for `" + std::to_string(size) + "` tokens");
    }
    const std::size_t space = line.find(' ');
    const auto left = ids.find(std::string(line.substr(0, space)));
    const auto right = ids.find(std::string(space == std::string_view::npos ? "" : line.substr(space + 1)));
    if (left == ids.end() || right == ids.end() || !ids.emplace(left->first + right->first, merged).second ||
        !merges_.emplace(pair_key(left->second, right->second), merged).second) {
      throw UserError(path + ":" + std::to_string(lines.number()), "this is no merge of a byte-pair vocabulary",
                      "two symbols that earlier lines made, and together a new one");
    }
  }
}

std::int64_t Vocabulary::id_of(unsigned char byte, bool last_of_word) const {
  return byte_ids_[byte] + (last_of_word ? kBytes : 0);
}

std::int64_t Vocabulary::merged(std::int64_t left, std::int64_t right) const {
  const auto found = merges_.find(pair_key(left, right));
  return found == merges_.end() ? -1 : found->second;
}

}  // namespace seedbed::clip
