#pragma once

#include <filesystem>

#include "seedbed/plugin.hpp"

namespace seedbed::plugin {

/// Maps a library for the rest of the process's life and finds its door.
///
/// Throws: UserError where the library or something that it needs cannot be mapped, where there is no symbol
///         `seedbed_plugin`, where its epoch is another, or where it brought a second LibTorch into the process.
const SeedbedPluginDescriptor& open_library(const std::filesystem::path& file);

}  // namespace seedbed::plugin
