#pragma once

#include <cstdint>
#include <filesystem>

#include <ATen/core/Tensor.h>

#include "dataset/dataset.hpp"

// PNG and JPEG files to tensors and back. The only place that sees libpng and libjpeg.
namespace seedbed::images {

enum class Orientation {
  ignored,  ///< the stored array, which is what the published WSSS code reads
  applied   ///< turned as the EXIF tag says
};

struct DecodeOptions {
  Orientation orientation = Orientation::ignored;
  std::int64_t maximum_pixels = 100'000'000;  ///< a larger header is refused before memory is taken
};

/// RGB [H,W,3] uint8. Grey becomes three equal channels, palettes their colours, alpha is dropped, 16 bits keep the
/// upper 8. The format is told from the content, not from the name.
/// Throws: UserError naming the file: missing, unknown format, damaged or truncated (decoder warnings included), over
///         the size limit. Threads: [any-thread].
at::Tensor decode_image(const std::filesystem::path& file, const DecodeOptions& options = {});

enum class MaskCoding {
  values,      ///< palette indices or grey values; colours are refused
  voc_colours  ///< additionally: colours of VOC's map, turned into their indices
};

/// The values of a label file, [H,W] uint8, as they are in the file: palette indices (whatever the palette holds) or
/// grey values of at most 8 bits.
/// Throws: UserError naming the file; for colours and 16 bits too, saying what would be accepted.
at::Tensor decode_mask_values(const std::filesystem::path& file, MaskCoding coding = MaskCoding::values,
                              const DecodeOptions& options = {});

/// Labels 0..C and 255, [H,W] uint8: decode_mask_values through the data set's class table.
/// Throws: UserError naming the file and the values that the table does not know.
at::Tensor decode_mask(const std::filesystem::path& file, const dataset::ClassTable& classes,
                       const DecodeOptions& options = {});

/// One plane [H,W] uint8 of a grey (or grey-looking) image: saliency and the like.
at::Tensor decode_grey(const std::filesystem::path& file, const DecodeOptions& options = {});

/// Height and width as the header states them; decodes no pixel.
struct ImageSize {
  std::int64_t height_px = 0;
  std::int64_t width_px = 0;
  bool operator==(const ImageSize&) const = default;
};
ImageSize read_image_size(const std::filesystem::path& file);

}  // namespace seedbed::images
