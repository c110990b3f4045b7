#include "unicode.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>

#include "seedbed/error.hpp"
#include "unicode_tables.hpp"

namespace seedbed::clip {
namespace {

constexpr char32_t kCapitalIWithDot = 0x130, kDotAbove = 0x307;
constexpr char32_t kCapitalSigma = 0x3A3, kFinalSigma = 0x3C2;

[[noreturn]] void refuse_utf8(std::size_t offset) {
  throw UserError("", "this prompt is no UTF-8, from byte `" + std::to_string(offset) + "` on", "text in UTF-8");
}

bool is_within(std::span<const CodePoints> table, char32_t point) {
  const auto behind = std::ranges::upper_bound(table, point, {}, &CodePoints::first);
  return behind != table.begin() && point <= std::prev(behind)->last;
}

char32_t lower_of(char32_t point) {
  const auto table = lower_cases();
  const auto behind = std::ranges::upper_bound(table, point, {}, &LowerCase::first);
  if (behind == table.begin()) return point;
  const LowerCase& run = *std::prev(behind);
  if (point > run.last || (point - run.first) % run.step != 0) return point;
  return static_cast<char32_t>(static_cast<std::int64_t>(point) + run.delta);
}

struct Sequence {
  std::size_t length;
  char32_t leading_bits;
  char32_t smallest;  // a smaller value would have had a shorter form
};

Sequence sequence_of(unsigned char lead, std::size_t offset) {
  if (lead < 0x80) return {1, lead, 0};
  if (lead >= 0xC2 && lead < 0xE0) return {2, lead & 0x1FU, 0x80};
  if (lead >= 0xE0 && lead < 0xF0) return {3, lead & 0x0FU, 0x800};
  if (lead >= 0xF0 && lead < 0xF5) return {4, lead & 0x07U, 0x10000};
  refuse_utf8(offset);
}

}  // namespace

std::u32string decoded_utf8(std::string_view text) {
  std::u32string points;
  for (std::size_t i = 0; i < text.size();) {
    const Sequence sequence = sequence_of(static_cast<unsigned char>(text[i]), i);
    if (sequence.length > text.size() - i) refuse_utf8(i);
    char32_t point = sequence.leading_bits;
    for (std::size_t j = 1; j < sequence.length; ++j) {
      const auto byte = static_cast<unsigned char>(text[i + j]);
      if ((byte & 0xC0U) != 0x80U) refuse_utf8(i);
      point = point << 6U | (byte & 0x3FU);
    }
    const bool surrogate = point >= 0xD800 && point <= 0xDFFF;
    if (point < sequence.smallest || surrogate || point > 0x10FFFF) refuse_utf8(i);
    points.push_back(point);
    i += sequence.length;
  }
  return points;
}

std::string encoded_utf8(std::u32string_view text) {
  std::string bytes;
  const auto add = [&](char32_t value) { bytes.push_back(static_cast<char>(value)); };
  for (const char32_t point : text) {
    if (point < 0x80) {
      add(point);
    } else if (point < 0x800) {
      add(0xC0U | point >> 6U);
      add(0x80U | (point & 0x3FU));
    } else if (point < 0x10000) {
      add(0xE0U | point >> 12U);
      add(0x80U | (point >> 6U & 0x3FU));
      add(0x80U | (point & 0x3FU));
    } else {
      add(0xF0U | point >> 18U);
      add(0x80U | (point >> 12U & 0x3FU));
      add(0x80U | (point >> 6U & 0x3FU));
      add(0x80U | (point & 0x3FU));
    }
  }
  return bytes;
}

bool is_letter(char32_t point) { return is_within(letters(), point); }

bool is_number(char32_t point) { return is_within(numbers(), point); }

bool is_space(char32_t point) {
  constexpr std::array<CodePoints, 10> kSpaces{{{0x9, 0xD},
                                                {0x20, 0x20},
                                                {0x85, 0x85},
                                                {0xA0, 0xA0},
                                                {0x1680, 0x1680},
                                                {0x2000, 0x200A},
                                                {0x2028, 0x2029},
                                                {0x202F, 0x202F},
                                                {0x205F, 0x205F},
                                                {0x3000, 0x3000}}};
  return is_within(kSpaces, point);
}

std::u32string lowered(std::u32string_view text) {
  std::u32string lower;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == kCapitalIWithDot) {
      lower += {U'i', kDotAbove};
    } else if (text[i] == kCapitalSigma && i > 0 && is_letter(text[i - 1]) &&
               (i + 1 == text.size() || !is_letter(text[i + 1]))) {
      lower.push_back(kFinalSigma);
    } else {
      lower.push_back(lower_of(text[i]));
    }
  }
  return lower;
}

}  // namespace seedbed::clip
