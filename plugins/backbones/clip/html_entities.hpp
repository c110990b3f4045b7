#pragma once

#include <string>
#include <string_view>

namespace seedbed::clip {

/// `text` with HTML's character references replaced as Python's html.unescape() does it: numeric ones with and without
/// semicolon, those of HTML 5's errata as there; named ones of HTML 4, the older of them also without semicolon. Names that
/// came with HTML 5 stay as they are. Threads: [any-thread].
std::u32string unescaped_html(std::u32string_view text);

}  // namespace seedbed::clip
