#pragma once

#include <string>
#include <string_view>

namespace seedbed::weights {

/// The one way in which a reader of this room gives up. `where` names the file.
/// Throws: UserError, always.
[[noreturn]] void refuse(std::string_view where, std::string message, std::string hint = {});

/// `text` in backticks for a message: shortened, and without what a terminal would act on. The text is a file's.
std::string in_backticks(std::string_view text);

}  // namespace seedbed::weights
