#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "study/node.hpp"

// The one seam to TOML++: its types and errors end here.
namespace seedbed::study {

/// Reads a whole file. `shown` is its name in errors, `order` its turn among the sources.
/// Throws: UserError for a file that cannot be read or is no TOML, with line and column.
Table parse_file(const std::filesystem::path& file, const std::string& shown, std::size_t order);

/// The same for text in memory.
Table parse_text(std::string_view text, const std::shared_ptr<const Source>& source);

/// Reads the "key=value" of a `--set`: the key may be dotted, the value is TOML; a bare word counts as a text.
/// Throws: UserError naming the flag.
Table parse_assignment(const std::string& assignment, std::size_t order);

/// "a.b.c" as parts. Throws: UserError at `place` for an empty part.
std::vector<std::string> key_parts(std::string_view dotted, const Place& place);

}  // namespace seedbed::study
