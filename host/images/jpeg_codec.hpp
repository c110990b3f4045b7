#pragma once

#include <cstdint>

#include <ATen/core/Tensor.h>

#include "images/file_bytes.hpp"

// libjpeg-turbo. Its errors and its warnings (a truncated file is one) become UserErrors that name the file.
namespace seedbed::images {

struct JpegHeader {
  std::int64_t height_px = 0;
  std::int64_t width_px = 0;
  int exif_orientation = 1;  ///< 1..8; 1 where the file names none
};

JpegHeader read_jpeg_header(const FileBytes& file);

/// [H,W,3] RGB as stored, not turned. Throws: UserError for CMYK, too.
at::Tensor decode_jpeg(const FileBytes& file, std::int64_t maximum_pixels);

}  // namespace seedbed::images
