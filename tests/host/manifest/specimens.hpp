#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "manifest/host_fingerprint.hpp"
#include "seedbed/manifest.hpp"

namespace seedbed::manifest {

/// A library with one method: vendor "" gives the id `name`, else "vendor.name".
PluginManifest plugin_of(const std::string& name, const std::string& vendor = "",
                         MethodKind kind = MethodKind::refiner);

std::string fingerprint_json(const Fingerprint& fingerprint);

/// The smallest shared library that holds these sections.
std::string elf_of(const std::map<std::string, std::string>& sections);

/// A library as the build makes it.
std::string library_of(const PluginManifest& manifest, const Fingerprint& fingerprint = host_fingerprint());

/// The folder with specimen.so and stripped.so, made by a real linker.
std::filesystem::path real_specimens();

}  // namespace seedbed::manifest
