#include "images/file_bytes.hpp"

#include <fstream>
#include <string_view>
#include <system_error>

#include "seedbed/error.hpp"

namespace seedbed::images {

FileBytes read_image_file(const std::filesystem::path& file) {
  constexpr std::uintmax_t largest_file = std::uintmax_t{1} << 30;
  constexpr std::string_view png_signature = "\x89PNG\r\n\x1a\n", jpeg_signature = "\xFF\xD8\xFF";
  std::error_code error;
  const std::uintmax_t size = std::filesystem::file_size(file, error);
  std::ifstream stream(file, std::ios::binary);
  if (error || !stream)
    throw UserError(file.string(), "The image file cannot be read: `" + file.string() + "`.",
                    "Check that it exists and may be read.");
  if (size > largest_file)
    throw UserError(file.string(), "The image file is too large: `" + std::to_string(size) + "` bytes.",
                    "At most 1 GiB is read.");
  FileBytes result{file, std::string(size, '\0'), FileFormat::png};
  stream.read(result.bytes.data(), static_cast<std::streamsize>(size));
  result.bytes.resize(static_cast<std::size_t>(stream.gcount()));
  if (result.bytes.starts_with(png_signature)) return result;
  result.format = FileFormat::jpeg;
  if (result.bytes.starts_with(jpeg_signature)) return result;
  throw UserError(file.string(), "The file is neither a PNG nor a JPEG image: `" + file.string() + "`.",
                  "Convert it, or check that it was copied whole.");
}

void check_image_size(const FileBytes& file, std::int64_t height_px, std::int64_t width_px,
                      std::int64_t maximum_pixels) {
  if (height_px >= 1 && width_px >= 1 && height_px <= maximum_pixels / width_px) return;
  throw UserError(
      file.path.string(),
      "The image's size is not accepted: `" + std::to_string(width_px) + " x " + std::to_string(height_px) + "`.",
      "At most " + std::to_string(maximum_pixels) + " pixels are decoded.");
}

}  // namespace seedbed::images
