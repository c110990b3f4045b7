# Run as a script: wraps the fingerprint file INPUT, the one that plugins embed, into the header OUTPUT.
file(READ "${INPUT}" json)
file(
  CONFIGURE OUTPUT "${OUTPUT}"
  CONTENT [[// Generated from the fingerprint that the plugins of this build embed.
#pragma once

namespace seedbed::manifest {

inline constexpr const char* kHostFingerprintJson = R"json(@json@)json";

}  // namespace seedbed::manifest
]] @ONLY)
