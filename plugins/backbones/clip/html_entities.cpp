#include "html_entities.hpp"

#include <algorithm>
#include <array>
#include <optional>

#include "unicode_tables.hpp"

namespace seedbed::clip {
namespace {

// The rules of html.unescape().
constexpr std::size_t kLongestName = 32;
constexpr std::u32string_view kBehindNames = U"\t\n\f <&#;";
constexpr char32_t kReplacement = 0xFFFD;

// HTML 5, "numeric character reference end state": what 0x80 to 0x9F mean, from the days of Windows-1252.
constexpr std::array<char32_t, 32> kWindows1252{0x20AC, 0x81,   0x201A, 0x192,  0x201E, 0x2026, 0x2020, 0x2021,
                                                0x2C6,  0x2030, 0x160,  0x2039, 0x152,  0x8D,   0x17D,  0x8F,
                                                0x90,   0x2018, 0x2019, 0x201C, 0x201D, 0x2022, 0x2013, 0x2014,
                                                0x2DC,  0x2122, 0x161,  0x203A, 0x153,  0x9D,   0x17E,  0x178};

// Control characters and noncharacters, which leave nothing behind.
bool is_invalid(char32_t point) {
  const bool control = point < 0x20 && point != U'\t' && point != U'\n' && point != U'\f' && point != U'\r';
  return control || (point >= 0x7F && point <= 0x9F) || (point >= 0xFDD0 && point <= 0xFDEF) ||
         (point & 0xFFFEU) == 0xFFFE;
}

std::u32string numbered(char32_t point) {
  if (point == 0 || (point >= 0xD800 && point <= 0xDFFF) || point > 0x10FFFF) return {kReplacement};
  if (point >= 0x80 && point <= 0x9F) return {kWindows1252[point - 0x80]};
  if (is_invalid(point)) return {};
  return {point};
}

// The digit's value, or `base` where it is none.
char32_t digit_of(char32_t point, char32_t base) {
  char32_t digit = base;
  if (point >= U'0' && point <= U'9') digit = point - U'0';
  if (point >= U'a' && point <= U'f') digit = point - U'a' + 10;
  if (point >= U'A' && point <= U'F') digit = point - U'A' + 10;
  return std::min(digit, base);
}

struct Reference {
  std::u32string text;
  std::size_t length;  // read, behind the ampersand
};

// "#38;", "#x26": behind the ampersand.
std::optional<Reference> numeric_reference(std::u32string_view rest) {
  const char32_t base = rest.size() > 1 && (rest[1] == U'x' || rest[1] == U'X') ? 16 : 10;
  const std::size_t start = base == 16 ? 2 : 1;
  std::size_t end = start;
  char32_t point = 0;
  for (; end < rest.size() && digit_of(rest[end], base) < base; ++end) {
    point = std::min<char32_t>(point * base + digit_of(rest[end], base), 0x110000);
  }
  if (end == start) return std::nullopt;
  if (end < rest.size() && rest[end] == U';') ++end;
  return Reference{numbered(point), end};
}

const Entity* entity_called(std::u32string_view name) {
  if (std::ranges::any_of(name, [](char32_t point) { return point > 0x7F; })) return nullptr;
  const std::string ascii(name.begin(), name.end());
  const auto names = entity_names();
  const auto found = std::ranges::lower_bound(names, std::string_view(ascii), {}, &Entity::name);
  return found != names.end() && found->name == ascii ? &*found : nullptr;
}

// "amp;", "ampersand": behind the ampersand.
std::optional<Reference> named_reference(std::u32string_view rest) {
  std::size_t end = 0;
  while (end < rest.size() && end < kLongestName && kBehindNames.find(rest[end]) == kBehindNames.npos) ++end;
  if (end < rest.size() && rest[end] == U';') {
    if (const Entity* entity = entity_called(rest.substr(0, end))) return Reference{{entity->point}, end + 1};
  }
  // Without its semicolon a name may be the start of a word; only Latin-1's names may go without.
  for (; end > 1; --end) {
    const Entity* entity = entity_called(rest.substr(0, end));
    if (entity && entity->point <= 0xFF && entity->name != "apos") return Reference{{entity->point}, end};
  }
  return std::nullopt;
}

}  // namespace

std::u32string unescaped_html(std::u32string_view text) {
  std::u32string plain;
  for (std::size_t i = 0; i < text.size();) {
    const std::u32string_view rest = text.substr(i + 1);
    std::optional<Reference> reference;
    if (text[i] == U'&' && !rest.empty()) {
      reference = rest.front() == U'#' ? numeric_reference(rest) : named_reference(rest);
    }
    if (reference) {
      plain += reference->text;
      i += 1 + reference->length;
    } else {
      plain.push_back(text[i++]);
    }
  }
  return plain;
}

}  // namespace seedbed::clip
