#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "protocol/stage.hpp"

namespace seedbed::protocol {

/// Folder of a stage's artefacts, below the artefact folder: "ab/cdef...".
std::filesystem::path stage_folder(std::string_view key);

/// Writes `bytes` under a temporary name beside `path`, syncs file and folder, renames into place.
/// Throws: UserError (no space, no permission) naming the path.
void write_durably(const std::filesystem::path& path, std::string_view bytes);

/// Syncs and renames a file that was written under `temporary` (same folder as `path`).
void commit_durably(const std::filesystem::path& temporary, const std::filesystem::path& path);

/// Leaves `result` in the inbox; the name starts with the key, so reading it twice is harmless.
std::filesystem::path write_result_file(const std::filesystem::path& inbox, const StageResult& result);

/// Throws: UserError for a file that is torn or of another protocol version.
StageResult read_result_file(const std::filesystem::path& file);

}  // namespace seedbed::protocol
