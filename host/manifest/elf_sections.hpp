#pragma once

#include <filesystem>
#include <string>

namespace seedbed::manifest {

/// What a plugin says of itself before any of its code runs: two JSON texts in ELF sections of these names.
inline constexpr const char* kManifestSection = ".seedbed_manifest";
inline constexpr const char* kFingerprintSection = ".seedbed_fingerprint";

struct PluginSections {
  std::string manifest;
  std::string fingerprint;
};

/// Reads both sections with bounded reads: nothing is mapped, nothing of the file is executed, and no offset or size
/// in it is believed before it is checked.
///
/// Throws: UserError if the file cannot be read, is no 64-bit little-endian ELF shared library, is cut short or
///         inconsistent, or lacks a section.
/// Cost:   five small reads.
PluginSections read_plugin_sections(const std::filesystem::path& file);

}  // namespace seedbed::manifest
