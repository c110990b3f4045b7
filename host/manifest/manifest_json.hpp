#pragma once

#include <string>
#include <string_view>

#include "seedbed/manifest.hpp"

namespace seedbed::manifest {

/// The newest manifest schema this host reads.
inline constexpr int kManifestSchema = 1;

/// Reads the JSON that seedbed-manifest embeds. Only its form is checked here; see seedbed::manifest_problems().
/// Throws: UserError with `where`, for text that is not JSON, lacks a key, holds a wrong type or has a newer schema.
PluginManifest plugin_manifest_from_json(std::string_view json, const std::string& where);

/// Throws: UserError with `where`, for text that is not a JSON object of texts or lacks a field.
Fingerprint fingerprint_from_json(std::string_view json, const std::string& where);

/// The JSON object of one method, taken out of a plugin's manifest text; "" if there is no such method.
std::string method_json(std::string_view manifest_json, MethodKind kind, std::string_view id);

/// A parameter's value as JSON, and back. Throws: UserError if `json` does not hold a value of this type.
std::string to_json(const ParameterValue& value);
ParameterValue parameter_value_from_json(ParameterType type, std::string_view json);

/// All resolved parameters as one JSON object, keys sorted, no white space.
std::string to_json(const ParameterValues& values);

}  // namespace seedbed::manifest
