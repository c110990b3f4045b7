#include "tokenizer.hpp"

#include <algorithm>
#include <array>

#include "html_entities.hpp"
#include "seedbed/error.hpp"
#include "unicode.hpp"

namespace seedbed::clip {
namespace {

// Merging takes quadratic time in a word's length, and 77 tokens never need as much.
constexpr std::size_t kMostBytes = 16 << 10;
constexpr std::size_t kShown = 60;

constexpr std::u32string_view kStartOfText = U"<|startoftext|>", kEndOfText = U"<|endoftext|>";
constexpr std::array<std::u32string_view, 7> kContractions{U"'s", U"'t", U"'re", U"'ve", U"'m", U"'ll", U"'d"};

bool is_other(char32_t point) { return !is_space(point) && !is_letter(point) && !is_number(point); }

// Length of the run of characters of one kind at the start of `text`.
std::size_t run_of(std::u32string_view text, bool (*kind)(char32_t)) {
  return static_cast<std::size_t>(std::ranges::find_if_not(text, kind) - text.begin());
}

// Length of the next piece, which starts with no space. The kinds are tried in this order.
std::size_t piece_of(std::u32string_view text) {
  for (const std::u32string_view special : {kStartOfText, kEndOfText}) {
    if (text.starts_with(special)) return special.size();
  }
  for (const std::u32string_view contraction : kContractions) {
    if (text.starts_with(contraction)) return contraction.size();
  }
  if (is_letter(text.front())) return run_of(text, is_letter);
  return is_number(text.front()) ? 1 : run_of(text, is_other);
}

// Python's str.strip() also takes the four separators of ASCII.
std::u32string_view stripped(std::u32string_view text) {
  const auto goes = [](char32_t point) { return is_space(point) || (point >= 0x1C && point <= 0x1F); };
  while (!text.empty() && goes(text.front())) text.remove_prefix(1);
  while (!text.empty() && goes(text.back())) text.remove_suffix(1);
  return text;
}

std::string shown(std::string_view prompt) {
  const std::u32string points = decoded_utf8(prompt);
  return points.size() <= kShown ? std::string(prompt) : encoded_utf8(points.substr(0, kShown)) + "...";
}

}  // namespace

std::vector<std::int64_t> Tokenizer::encode(std::string_view prompt) const {
  if (prompt.size() > kMostBytes) {
    throw UserError("", "this prompt is too long: `" + std::to_string(prompt.size()) + "` bytes",
                    "at most `" + std::to_string(kMostBytes) + "`");
  }
  const std::u32string plain = unescaped_html(unescaped_html(decoded_utf8(prompt)));
  const std::u32string lower = lowered(stripped(plain));
  std::vector<std::int64_t> ids{vocabulary_.start_of_text()};
  for (std::u32string_view rest = lower; !rest.empty();) {
    if (is_space(rest.front())) {
      rest.remove_prefix(1);
      continue;
    }
    const std::u32string_view piece = rest.substr(0, piece_of(rest));
    if (piece == kStartOfText) {
      ids.push_back(vocabulary_.start_of_text());
    } else if (piece == kEndOfText) {
      ids.push_back(vocabulary_.end_of_text());
    } else {
      add_word(piece, ids);
    }
    rest.remove_prefix(piece.size());
  }
  ids.push_back(vocabulary_.end_of_text());
  return ids;
}

void Tokenizer::add_word(std::u32string_view word, std::vector<std::int64_t>& ids) const {
  const std::string bytes = encoded_utf8(word);
  std::vector<std::int64_t> symbols;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    symbols.push_back(vocabulary_.id_of(static_cast<unsigned char>(bytes[i]), i + 1 == bytes.size()));
  }
  while (true) {
    std::int64_t best = -1;
    for (std::size_t i = 0; i + 1 < symbols.size(); ++i) {
      const std::int64_t merged = vocabulary_.merged(symbols[i], symbols[i + 1]);
      if (merged >= 0 && (best < 0 || merged < best)) best = merged;
    }
    if (best < 0) break;
    std::vector<std::int64_t> joined;
    for (std::size_t i = 0; i < symbols.size(); ++i) {
      const bool pair = i + 1 < symbols.size() && vocabulary_.merged(symbols[i], symbols[i + 1]) == best;
      joined.push_back(pair ? best : symbols[i]);
      if (pair) ++i;
    }
    symbols = std::move(joined);
  }
  ids.insert(ids.end(), symbols.begin(), symbols.end());
}

std::vector<std::int64_t> Tokenizer::encode(std::string_view prompt, std::int64_t context, bool truncate) const {
  std::vector<std::int64_t> ids = encode(prompt);
  const auto length = static_cast<std::size_t>(context);
  if (ids.size() > length && !truncate) {
    throw UserError("",
                    "this prompt is too long: `" + std::to_string(ids.size()) + "` tokens in `" + shown(prompt) + "`",
                    "at most `" + std::to_string(context) + "` tokens, or truncate_prompts = true");
  }
  const bool cut = ids.size() > length;
  ids.resize(length, 0);
  if (cut) ids.back() = vocabulary_.end_of_text();
  return ids;
}

}  // namespace seedbed::clip
