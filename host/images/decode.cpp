#include "images/decode.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include <ATen/ATen.h>

#include "images/encode.hpp"
#include "images/file_bytes.hpp"
#include "images/jpeg_codec.hpp"
#include "images/png_codec.hpp"
#include "seedbed/error.hpp"

namespace seedbed::images {
namespace {

constexpr const char* kMaskHint = "Masks are PNG files of palette indices or grey values of at most 8 bits.";

// EXIF 1..8: first swap rows and columns, then mirror, as each number says.
at::Tensor turned(const at::Tensor& image_hwc, int orientation) {
  const bool transposed = orientation >= 5;
  const bool mirror_columns = orientation == 2 || orientation == 3 || orientation == 6 || orientation == 7;
  const bool mirror_rows = orientation == 3 || orientation == 4 || orientation == 7 || orientation == 8;
  at::Tensor image = transposed ? image_hwc.transpose(0, 1) : image_hwc;
  std::vector<std::int64_t> mirrored;
  if (mirror_rows) mirrored.push_back(0);
  if (mirror_columns) mirrored.push_back(1);
  if (!mirrored.empty()) image = image.flip(mirrored);
  return image.contiguous();
}

std::uint32_t packed(const std::uint8_t* rgb) {
  return std::uint32_t{rgb[0]} << 16 | std::uint32_t{rgb[1]} << 8 | rgb[2];
}

at::Tensor indices_of_colours(const at::Tensor& image_hwc, const FileBytes& file) {
  static const auto index_of = [] {
    std::unordered_map<std::uint32_t, std::uint8_t> map;
    for (std::size_t i = 0; i < 256; ++i) map.emplace(packed(voc_colour_map()[i].data()), static_cast<std::uint8_t>(i));
    return map;
  }();
  at::Tensor indices = at::empty({image_hwc.size(0), image_hwc.size(1)}, at::kByte);
  const auto* colour = image_hwc.const_data_ptr<std::uint8_t>();
  auto* index = indices.mutable_data_ptr<std::uint8_t>();
  for (std::int64_t pixel = 0; pixel < indices.numel(); ++pixel, colour += 3) {
    const auto found = index_of.find(packed(colour));
    if (found == index_of.end())
      throw UserError(file.path.string(),
                      "A mask holds a colour that VOC's map does not: `(" + std::to_string(colour[0]) + ", " +
                          std::to_string(colour[1]) + ", " + std::to_string(colour[2]) + ")` at row " +
                          std::to_string(pixel / image_hwc.size(1)) + ", column " +
                          std::to_string(pixel % image_hwc.size(1)) + ".",
                      kMaskHint);
    index[pixel] = found->second;
  }
  return indices;
}

[[noreturn]] void refuse_mask(const FileBytes& file, const std::string& what) {
  throw UserError(file.path.string(), "A mask cannot be read from " + what + ": `" + file.path.string() + "`.",
                  kMaskHint);
}

std::string quoted_values(const std::vector<int>& values) {
  std::string text;
  for (int value : values) text += (text.empty() ? "`" : ", `") + std::to_string(value) + "`";
  return text;
}

}  // namespace

at::Tensor decode_image(const std::filesystem::path& path, const DecodeOptions& options) {
  const FileBytes file = read_image_file(path);
  if (file.format == FileFormat::png) return decode_png(file, PngSamples::rgb, options.maximum_pixels);
  at::Tensor image = decode_jpeg(file, options.maximum_pixels);
  if (options.orientation == Orientation::ignored) return image;
  return turned(image, read_jpeg_header(file).exif_orientation);
}

at::Tensor decode_mask_values(const std::filesystem::path& path, MaskCoding coding, const DecodeOptions& options) {
  const FileBytes file = read_image_file(path);
  if (file.format == FileFormat::jpeg) refuse_mask(file, "a JPEG file, which does not keep labels");
  const PngHeader header = read_png_header(file);
  if (header.bit_depth > 8) refuse_mask(file, "16-bit samples");
  if (header.has_colours && coding == MaskCoding::voc_colours)
    return indices_of_colours(decode_png(file, PngSamples::rgb, options.maximum_pixels), file);
  if (header.has_colours) refuse_mask(file, "RGB colours");
  if (header.has_alpha) refuse_mask(file, "grey values with transparency");
  return decode_png(file, PngSamples::values, options.maximum_pixels);
}

at::Tensor decode_mask(const std::filesystem::path& path, const dataset::ClassTable& classes,
                       const DecodeOptions& options) {
  const at::Tensor mask = decode_mask_values(path, MaskCoding::values, options);
  std::array<bool, 256> seen{};
  auto* value = mask.mutable_data_ptr<std::uint8_t>();
  for (std::int64_t i = 0; i < mask.numel(); ++i) {
    seen[value[i]] = true;
    value[i] = classes.label_of_value[value[i]];
  }
  std::vector<int> unknown;
  for (int i = 0; i < 256; ++i)
    if (seen[static_cast<std::size_t>(i)] && !classes.known_value[static_cast<std::size_t>(i)]) unknown.push_back(i);
  if (unknown.empty()) return mask;
  throw UserError(path.string(), "A mask holds values that the classes do not: " + quoted_values(unknown) + ".",
                  "Values are those of the classes file, and 255 for pixels that are not counted.");
}

at::Tensor decode_grey(const std::filesystem::path& path, const DecodeOptions& options) {
  // JPEG's colour conversion may move channels of a grey image apart by a step or two.
  constexpr std::int64_t largest_difference = 4;
  const at::Tensor image = decode_image(path, options);
  const at::Tensor wide = image.to(at::kShort);
  if ((wide.amax(-1) - wide.amin(-1)).max().item<std::int64_t>() > largest_difference)
    throw UserError(path.string(), "A grey image was expected, and this one has colours: `" + path.string() + "`.",
                    "Side inputs are grey images.");
  return image.select(-1, 1).contiguous();
}

ImageSize read_image_size(const std::filesystem::path& path) {
  const FileBytes file = read_image_file(path);
  if (file.format == FileFormat::png) {
    const PngHeader header = read_png_header(file);
    return {header.height_px, header.width_px};
  }
  const JpegHeader header = read_jpeg_header(file);
  return {header.height_px, header.width_px};
}

}  // namespace seedbed::images
