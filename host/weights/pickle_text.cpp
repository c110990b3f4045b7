#include "weights/pickle_text.hpp"

#include <charconv>
#include <cstdint>

namespace seedbed::weights::pickle {
namespace {

void append_utf8(std::string& text, std::uint32_t code) {
  const auto byte = [&](std::uint32_t value) { text += static_cast<char>(value); };
  if (code < 0x80) {
    byte(code);
  } else if (code < 0x800) {
    byte(0xc0 | code >> 6);
    byte(0x80 | (code & 0x3f));
  } else if (code < 0x10000) {
    byte(0xe0 | code >> 12);
    byte(0x80 | (code >> 6 & 0x3f));
    byte(0x80 | (code & 0x3f));
  } else {
    byte(0xf0 | code >> 18);
    byte(0x80 | (code >> 12 & 0x3f));
    byte(0x80 | (code >> 6 & 0x3f));
    byte(0x80 | (code & 0x3f));
  }
}

// Takes `count` digits from the front of `text`.
std::optional<std::uint32_t> take_digits(std::string_view& text, std::size_t count, int base) {
  if (text.size() < count) return std::nullopt;
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + count, value, base);
  if (error != std::errc() || end != text.data() + count) return std::nullopt;
  text.remove_prefix(count);
  return value;
}

std::optional<char> simple_escape(char letter) {
  constexpr std::string_view kLetters = "\\'\"abfnrtv";
  constexpr std::string_view kValues = "\\'\"\a\b\f\n\r\t\v";
  const std::size_t index = kLetters.find(letter);
  return index == std::string_view::npos ? std::nullopt : std::optional(kValues[index]);
}

// One escape sequence behind its backslash.
std::optional<char> take_escape(std::string_view& rest) {
  if (rest.empty()) return std::nullopt;
  if (const auto simple = simple_escape(rest.front())) {
    rest.remove_prefix(1);
    return simple;
  }
  std::optional<std::uint32_t> value;
  if (rest.front() == 'x') {
    rest.remove_prefix(1);
    value = take_digits(rest, 2, 16);
  } else {
    value = take_digits(rest, 3, 8);
  }
  return value && *value < 256 ? std::optional(static_cast<char>(*value)) : std::nullopt;
}

// Bytes of the UTF-8 sequence at the front, 0 where it is none.
std::size_t sequence_bytes(std::string_view bytes) {
  const auto at = [&](std::size_t i) { return i < bytes.size() ? static_cast<unsigned char>(bytes[i]) : 0u; };
  const auto continues = [&](std::size_t i) { return (at(i) & 0xc0u) == 0x80u; };
  const unsigned lead = at(0);
  if (lead < 0x80) return 1;
  if (lead < 0xc2 || lead > 0xf4 || !continues(1)) return 0;
  if (lead < 0xe0) return 2;
  if (!continues(2) || (lead == 0xe0 && at(1) < 0xa0) || (lead == 0xed && at(1) >= 0xa0)) return 0;
  if (lead < 0xf0) return 3;
  return continues(3) && (lead != 0xf0 || at(1) >= 0x90) && (lead != 0xf4 || at(1) < 0x90) ? 4 : 0;
}

}  // namespace

std::optional<std::string> unquote(std::string_view literal) {
  if (literal.size() < 2 || literal.front() != literal.back() || (literal.front() != '\'' && literal.front() != '"')) {
    return std::nullopt;
  }
  std::string_view rest = literal.substr(1, literal.size() - 2);
  std::string text;
  while (!rest.empty()) {
    const char c = rest.front();
    rest.remove_prefix(1);
    if (c != '\\') {
      text += c;
      continue;
    }
    const auto escaped = take_escape(rest);
    if (!escaped) return std::nullopt;
    text += *escaped;
  }
  return text;
}

std::optional<std::string> decode_raw_unicode(std::string_view escaped) {
  constexpr std::uint32_t kLastCodePoint = 0x10ffff;
  std::string text;
  while (!escaped.empty()) {
    const bool short_form = escaped.starts_with("\\u");
    if (!short_form && !escaped.starts_with("\\U")) {
      append_utf8(text, static_cast<unsigned char>(escaped.front()));
      escaped.remove_prefix(1);
      continue;
    }
    escaped.remove_prefix(2);
    const auto code = take_digits(escaped, short_form ? 4 : 8, 16);
    if (!code || *code > kLastCodePoint) return std::nullopt;
    append_utf8(text, *code);
  }
  return text;
}

bool is_utf8(std::string_view bytes) {
  while (!bytes.empty()) {
    const std::size_t count = sequence_bytes(bytes);
    if (count == 0) return false;
    bytes.remove_prefix(count);
  }
  return true;
}

}  // namespace seedbed::weights::pickle
