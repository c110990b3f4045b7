#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace seedbed::manifest_tool {

/// C++ source without what cannot change its meaning: comments, and white space between tokens that do not need it.
std::string without_comments_and_space(std::string_view source);

/// SHA-256 over all *.hpp below `folder`, by name in order, without comments and white space. `version.hpp` is left
/// out: a release alone does not change what crosses the door.
/// Throws: UserError if the folder holds no header, or one cannot be read.
std::string headers_digest(const std::filesystem::path& folder);

}  // namespace seedbed::manifest_tool
