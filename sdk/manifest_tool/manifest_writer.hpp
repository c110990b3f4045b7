#pragma once

#include <string>
#include <string_view>

#include "seedbed/manifest.hpp"

namespace seedbed::manifest_tool {

/// The manifest as the JSON that the host reads: one line, ASCII.
std::string manifest_json(const PluginManifest& manifest);

/// A fingerprint file's JSON without white space.
/// Throws: UserError with `file_name`, if it is not an object that holds every field as a text.
std::string compact_fingerprint(std::string_view json, const std::string& file_name);

}  // namespace seedbed::manifest_tool
