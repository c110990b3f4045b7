#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace seedbed::stages {

enum class ConfidenceFile {
  none,
  png,  ///< ID.confidence.png: grey of 16 bits, 65535 = 1
  npy   ///< ID.confidence.npy: [H,W] float32
};

ConfidenceFile confidence_file_from(std::string_view name);  ///< Throws: UserError

struct ExportedLabels {
  std::int64_t images = 0;
  std::int64_t confidences = 0;
};

/// Writes the label artefact of a stage as one palette PNG an image, ID.png below `folder`, in VOC's colours; 254 and 255
/// stay what they are. Files of these names are replaced.
/// Throws: UserError where the artefact is gone or holds maps, labels come without a confidence that is asked for, or a
///         file cannot be written.
ExportedLabels export_labels(const std::filesystem::path& artefact_folder, std::string_view key,
                             const std::filesystem::path& folder, ConfidenceFile confidence);

}  // namespace seedbed::stages
