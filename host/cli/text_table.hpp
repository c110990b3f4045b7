#pragma once

#include <string>
#include <vector>

namespace seedbed::cli {

/// Columns padded to their widest entry, two spaces apart; no trailing blanks. The first row is the heading.
std::string text_table(const std::vector<std::vector<std::string>>& rows);

}  // namespace seedbed::cli
