#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>

namespace seedbed::testing {

/// A library of tests/fixture_plugins, as built.
inline std::filesystem::path fixture_plugin(const std::string& name) {
  const char* folder = std::getenv("SEEDBED_FIXTURE_PLUGINS");
  return std::filesystem::path(folder == nullptr ? "" : folder) / ("seedbed_fixture_" + name + ".so");
}

}  // namespace seedbed::testing
