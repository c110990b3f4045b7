#pragma once

#include <cstdint>

#include <ATen/core/Tensor.h>

#include "images/file_bytes.hpp"

// libpng. Its errors and warnings become UserErrors that name the file; chunks that do not change pixels are skipped
// unread.
namespace seedbed::images {

enum class PngSamples {
  rgb,    ///< [H,W,3]: grey and palettes expanded, alpha dropped, 16 bits cut to the upper 8
  values  ///< [H,W]: palette indices or grey samples as stored (1, 2, 4 or 8 bits, not scaled)
};

struct PngHeader {
  std::int64_t height_px = 0;
  std::int64_t width_px = 0;
  int bit_depth = 0;
  bool has_colours = false;  ///< RGB or RGBA, not a palette
  bool has_alpha = false;    ///< grey with alpha, or RGBA
};

PngHeader read_png_header(const FileBytes& file);

/// Requires for `values`: neither colours nor alpha, at most 8 bits.
at::Tensor decode_png(const FileBytes& file, PngSamples samples, std::int64_t maximum_pixels);

}  // namespace seedbed::images
