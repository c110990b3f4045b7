#pragma once

#include <string>
#include <string_view>

#include "seedbed/manifest.hpp"

namespace seedbed::manifest_tool {

/// Reads and checks the text of a plugin.toml (grammar: PLUGIN_TOML.md).
/// Throws: UserErrors with everything that is wrong, each with `file_name`, line and column; a syntax error alone.
PluginManifest plugin_manifest_from_toml(std::string_view toml, const std::string& file_name);

}  // namespace seedbed::manifest_tool
