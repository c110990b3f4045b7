#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace seedbed::testing {

/// A JPEG file of `channels` 1 (grey) or 3 (RGB) with a smooth pattern; `exif_orientation` 0 writes no EXIF block.
std::string jpeg_bytes(std::int64_t height, std::int64_t width, int channels, int exif_orientation = 0);

enum class PngKind { grey1, grey8, grey16, grey_alpha, palette2, rgb, rgba };

/// A PNG file; sample number i (row-major, channels inside) is i modulo what its bits hold.
std::string png_bytes(std::int64_t height, std::int64_t width, PngKind kind);

/// A PNG signature and header that announce this size, and nothing else.
std::string png_header_bytes(std::uint32_t height, std::uint32_t width);

/// The samples of a grey PNG of 16 bits, row by row; empty for any other file.
std::vector<int> grey16_samples(const std::filesystem::path& file);

}  // namespace seedbed::testing
