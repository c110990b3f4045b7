#include "image_files.hpp"

#include <png.h>

#include <cstddef>
#include <cstdio>
#include <cstdlib>

#include <jpeglib.h>
#include <zlib.h>

namespace seedbed::testing {
namespace {

// EXIF with one entry: the orientation, big-endian.
std::string exif_block(int orientation) {
  std::string block("Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0", 25);
  block += static_cast<char>(orientation);
  return block + std::string("\0\0\0\0\0\0", 6);
}

struct PngForm {
  int colour_type;
  int bit_depth;
  std::size_t channels;
};

PngForm form_of(PngKind kind) {
  switch (kind) {
    case PngKind::grey1:
      return {PNG_COLOR_TYPE_GRAY, 1, 1};
    case PngKind::grey8:
      return {PNG_COLOR_TYPE_GRAY, 8, 1};
    case PngKind::grey16:
      return {PNG_COLOR_TYPE_GRAY, 16, 1};
    case PngKind::grey_alpha:
      return {PNG_COLOR_TYPE_GRAY_ALPHA, 8, 2};
    case PngKind::palette2:
      return {PNG_COLOR_TYPE_PALETTE, 2, 1};
    case PngKind::rgb:
      return {PNG_COLOR_TYPE_RGB, 8, 3};
    case PngKind::rgba:
      break;
  }
  return {PNG_COLOR_TYPE_RGB_ALPHA, 8, 4};
}

void append(png_structp png, png_bytep data, std::size_t count) {
  static_cast<std::string*>(png_get_io_ptr(png))->append(reinterpret_cast<const char*>(data), count);
}

std::string big_endian(std::uint32_t value) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(value >> shift & 0xFF);
  return bytes;
}

}  // namespace

std::string jpeg_bytes(std::int64_t height, std::int64_t width, int channels, int exif_orientation) {
  jpeg_compress_struct encoder{};
  jpeg_error_mgr errors{};
  encoder.err = jpeg_std_error(&errors);
  jpeg_create_compress(&encoder);
  unsigned char* memory = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&encoder, &memory, &size);
  encoder.image_height = static_cast<JDIMENSION>(height);
  encoder.image_width = static_cast<JDIMENSION>(width);
  encoder.input_components = channels;
  encoder.in_color_space = channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
  jpeg_set_defaults(&encoder);
  jpeg_set_quality(&encoder, 95, TRUE);
  jpeg_start_compress(&encoder, TRUE);
  if (exif_orientation > 0) {
    const std::string block = exif_block(exif_orientation);
    jpeg_write_marker(&encoder, JPEG_APP0 + 1, reinterpret_cast<const JOCTET*>(block.data()),
                      static_cast<unsigned>(block.size()));
  }
  std::vector<std::uint8_t> row(static_cast<std::size_t>(width * channels));
  for (std::int64_t y = 0; y < height; ++y) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      const auto x = static_cast<std::int64_t>(i) / channels, channel = static_cast<std::int64_t>(i) % channels;
      row[i] = static_cast<std::uint8_t>((x * 2 + y + channel * 40) % 256);
    }
    JSAMPROW pointer = row.data();
    jpeg_write_scanlines(&encoder, &pointer, 1);
  }
  jpeg_finish_compress(&encoder);
  jpeg_destroy_compress(&encoder);
  std::string bytes(reinterpret_cast<char*>(memory), size);
  std::free(memory);
  return bytes;
}

std::string png_bytes(std::int64_t height, std::int64_t width, PngKind kind) {
  const PngForm form = form_of(kind);
  std::string bytes;
  png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, nullptr, nullptr, nullptr);
  png_infop info = png_create_info_struct(png);
  png_set_write_fn(png, &bytes, append, nullptr);
  png_set_IHDR(png, info, static_cast<png_uint_32>(width), static_cast<png_uint_32>(height), form.bit_depth,
               form.colour_type, PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  const png_color palette[4]{{10, 20, 30}, {40, 50, 60}, {70, 80, 90}, {100, 110, 120}};
  if (form.colour_type == PNG_COLOR_TYPE_PALETTE) png_set_PLTE(png, info, palette, 4);
  png_write_info(png, info);
  png_set_packing(png);
  const unsigned limit = form.bit_depth >= 8 ? 256U : 1U << static_cast<unsigned>(form.bit_depth);
  const std::size_t row_bytes = static_cast<std::size_t>(width) * form.channels * (form.bit_depth == 16 ? 2 : 1);
  unsigned next = 0;
  for (std::int64_t y = 0; y < height; ++y) {
    std::vector<std::uint8_t> row(row_bytes);
    for (std::uint8_t& sample : row) sample = static_cast<std::uint8_t>(next++ % limit);
    png_write_row(png, row.data());
  }
  png_write_end(png, nullptr);
  png_destroy_write_struct(&png, &info);
  return bytes;
}

std::vector<int> grey16_samples(const std::filesystem::path& file) {
  std::FILE* stream = std::fopen(file.c_str(), "rb");
  if (stream == nullptr) return {};
  png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, nullptr, nullptr, nullptr);
  png_infop info = png_create_info_struct(png);
  png_init_io(png, stream);
  png_read_png(png, info, PNG_TRANSFORM_IDENTITY, nullptr);
  std::vector<int> samples;
  if (png_get_bit_depth(png, info) == 16 && png_get_color_type(png, info) == PNG_COLOR_TYPE_GRAY) {
    png_bytepp rows = png_get_rows(png, info);
    for (png_uint_32 y = 0; y < png_get_image_height(png, info); ++y)
      for (png_uint_32 x = 0; x < png_get_image_width(png, info); ++x)
        samples.push_back(rows[y][2 * x] * 256 + rows[y][2 * x + 1]);
  }
  png_destroy_read_struct(&png, &info, nullptr);
  std::fclose(stream);
  return samples;
}

std::string png_header_bytes(std::uint32_t height, std::uint32_t width) {
  const std::string chunk = "IHDR" + big_endian(width) + big_endian(height) + std::string("\x08\x02\0\0\0", 5);
  const auto check = crc32(0, reinterpret_cast<const Bytef*>(chunk.data()), static_cast<uInt>(chunk.size()));
  const std::string end = "IDAT";
  return "\x89PNG\r\n\x1a\n" + big_endian(13) + chunk + big_endian(static_cast<std::uint32_t>(check)) + big_endian(8) +
         end;
}

}  // namespace seedbed::testing
