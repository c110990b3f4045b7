#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

namespace seedbed::images {

enum class FileFormat { png, jpeg };

/// A file in memory, with its format told from its first bytes.
struct FileBytes {
  std::filesystem::path path;
  std::string bytes;
  FileFormat format = FileFormat::png;
};

/// Throws: UserError naming the file: missing, unreadable, over 1 GiB, neither PNG nor JPEG.
FileBytes read_image_file(const std::filesystem::path& file);

/// Throws: UserError naming the file where the header's size is empty or above the limit.
void check_image_size(const FileBytes& file, std::int64_t height_px, std::int64_t width_px,
                      std::int64_t maximum_pixels);

}  // namespace seedbed::images
