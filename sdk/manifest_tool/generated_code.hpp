#pragma once

#include <string>
#include <string_view>

#include "seedbed/manifest.hpp"

namespace seedbed::manifest_tool {

/// A header with one struct for each method: its id, its revision, and its parameters as typed fields.
std::string parameter_header(const PluginManifest& manifest);

/// A source that puts both texts into the module's sections. A constant in a section of its own would be dropped by
/// --gc-sections; `used` and `retain` keep it, and being allocated keeps it from `strip`.
std::string section_source(std::string_view manifest_json, std::string_view fingerprint_json);

}  // namespace seedbed::manifest_tool
