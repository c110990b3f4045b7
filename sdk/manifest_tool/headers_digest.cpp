#include "manifest_tool/headers_digest.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <fstream>
#include <iterator>
#include <memory>
#include <vector>

#include <openssl/evp.h>

#include "seedbed/error.hpp"

namespace seedbed::manifest_tool {
namespace {

bool is_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; }

// Copies tokens, and keeps of the space between them what keeps them apart.
class Squeezer {
 public:
  explicit Squeezer(std::string_view source) : source_(source) {}

  std::string run() {
    while (at_ < source_.size()) {
      const char c = source_[at_];
      if (starts("//")) {
        skip_line_comment();
      } else if (starts("/*")) {
        const auto end = source_.find("*/", at_ + 2);
        at_ = end == std::string_view::npos ? source_.size() : end + 2;
        space_ = true;
      } else if (starts("\\\n")) {
        at_ += 2;
        space_ = true;
      } else if (c == '\n') {
        end_line();
      } else if (std::isspace(static_cast<unsigned char>(c))) {
        ++at_;
        space_ = true;
      } else if (starts("R\"")) {
        copy_raw_string();
      } else if (c == '"' || (c == '\'' && (result_.empty() || space_ || !is_word(result_.back())))) {
        copy_quoted(c);
      } else {
        begin_token(c);
        result_ += c;
        ++at_;
      }
    }
    return std::move(result_);
  }

 private:
  bool starts(std::string_view text) const { return source_.substr(at_).starts_with(text); }

  void skip_line_comment() {
    at_ = std::min(source_.find('\n', at_), source_.size());
    space_ = true;
  }

  // A preprocessor line ends where it ends; any other line break is white space.
  void end_line() {
    ++at_;
    if (directive_) result_ += '\n';
    directive_ = false;
    space_ = true;
    line_is_empty_ = true;
  }

  void begin_token(char next) {
    if (next == '#' && line_is_empty_ && !directive_) {
      if (!result_.empty() && result_.back() != '\n') result_ += '\n';
      directive_ = true;
    }
    if (space_ && !result_.empty()) {
      const char last = result_.back();
      // Inside a directive space may be meaning: `#define f(x)` and `#define f (x)`.
      if ((is_word(last) && is_word(next)) || (last == next && std::ispunct(static_cast<unsigned char>(next))) ||
          (directive_ && is_word(last))) {
        result_ += ' ';
      }
    }
    space_ = false;
    line_is_empty_ = false;
  }

  void copy_to(std::size_t end) {
    end = std::min(end, source_.size());
    begin_token(source_[at_]);
    result_ += source_.substr(at_, end - at_);
    at_ = end;
  }

  void copy_quoted(char quote) {
    std::size_t end = at_ + 1;
    while (end < source_.size() && source_[end] != quote && source_[end] != '\n') end += source_[end] == '\\' ? 2 : 1;
    copy_to(end + 1);
  }

  void copy_raw_string() {
    const auto open = source_.find('(', at_);
    if (open == std::string_view::npos) return copy_to(at_ + 1);
    const std::string close = ")" + std::string(source_.substr(at_ + 2, open - at_ - 2)) + "\"";
    const auto end = source_.find(close, open);
    copy_to(end == std::string_view::npos ? source_.size() : end + close.size());
  }

  std::string_view source_;
  std::size_t at_ = 0;
  std::string result_;
  bool space_ = false;         // white space since the last token
  bool directive_ = false;     // within a preprocessor line
  bool line_is_empty_ = true;  // nothing but space so far
};

class Sha256 {
 public:
  Sha256() : context_(EVP_MD_CTX_new(), EVP_MD_CTX_free) {
    if (!context_ || EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) != 1) fail();
  }

  void update(std::string_view bytes) {
    if (EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) != 1) fail();
  }

  std::string hex() {
    std::array<unsigned char, EVP_MAX_MD_SIZE> bytes{};
    unsigned size = 0;
    if (EVP_DigestFinal_ex(context_.get(), bytes.data(), &size) != 1) fail();
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::string text;
    for (unsigned i = 0; i < size; ++i) {
      text += kDigits[bytes[i] >> 4];
      text += kDigits[bytes[i] & 15];
    }
    return text;
  }

 private:
  [[noreturn]] static void fail() { throw std::runtime_error("OpenSSL refuses SHA-256"); }

  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context_;
};

}  // namespace

std::string without_comments_and_space(std::string_view source) { return Squeezer(source).run(); }

std::string headers_digest(const std::filesystem::path& folder) {
  std::vector<std::string> names;
  std::error_code failure;
  for (std::filesystem::recursive_directory_iterator it(folder, failure), end; !failure && it != end;
       it.increment(failure)) {
    if (it->path().extension() == ".hpp" && it->path().filename() != "version.hpp") {
      names.push_back(it->path().lexically_relative(folder).generic_string());
    }
  }
  if (failure) throw UserError(folder.string(), "the folder cannot be read: `" + failure.message() + "`");
  if (names.empty()) throw UserError(folder.string(), "the folder holds no header (*.hpp)");
  std::ranges::sort(names);

  Sha256 sha256;
  for (const std::string& name : names) {
    std::ifstream stream(folder / name, std::ios::binary);
    const std::string source(std::istreambuf_iterator<char>(stream), {});
    if (!stream.is_open() || stream.bad()) throw UserError((folder / name).string(), "the header cannot be read");
    const std::string code = without_comments_and_space(source);
    sha256.update(name + '\n' + std::to_string(code.size()) + '\n' + code);
  }
  return sha256.hex();
}

}  // namespace seedbed::manifest_tool
