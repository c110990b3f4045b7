#pragma once

#include <string>
#include <string_view>

/// As much of Unicode as prompts need, the same on every machine and in every locale. Threads: [any-thread].
namespace seedbed::clip {

/// The code points of UTF-8 text. Throws: UserError for anything else (overlong forms and surrogates too).
std::u32string decoded_utf8(std::string_view text);

/// `text` in UTF-8. Requires: code points up to U+10FFFF, no surrogates.
std::string encoded_utf8(std::u32string_view text);

bool is_letter(char32_t point);  ///< categories L*
bool is_number(char32_t point);  ///< categories N*
bool is_space(char32_t point);   ///< property White_Space

/// As Python's str.lower(): one code point for one, but for U+0130; sigma takes its final form where letters end.
std::u32string lowered(std::u32string_view text);

}  // namespace seedbed::clip
