#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace seedbed::weights::pickle {

/// The content of a Python string literal as protocol 0 writes it ('it\'s'); nullopt where it is none.
std::optional<std::string> unquote(std::string_view literal);

/// UTF-8 of Python's raw-unicode-escape (Latin-1 with \uXXXX and \UXXXXXXXX); nullopt where it is damaged.
std::optional<std::string> decode_raw_unicode(std::string_view escaped);

/// Whether the bytes are UTF-8 (without surrogates or code points past U+10FFFF).
bool is_utf8(std::string_view bytes);

}  // namespace seedbed::weights::pickle
