#pragma once

#include <string_view>

namespace seedbed::report {

enum class Format { text, markdown, csv, latex, json };

/// "text", "markdown", "csv", "latex", "json". Throws: UserError that names them.
Format format_from(std::string_view name);

}  // namespace seedbed::report
