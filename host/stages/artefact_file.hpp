#pragma once

#include <filesystem>
#include <string>

#include "protocol/stage.hpp"

namespace seedbed::stages {

/// Describes a file that lies below the artefact folder: relative path, digest, size.
protocol::ArtefactFile artefact_file(std::string name, const std::filesystem::path& artefact_folder,
                                     const std::filesystem::path& file);

}  // namespace seedbed::stages
