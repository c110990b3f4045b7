#include <png.h>

#include <csetjmp>
#include <cstdio>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include <ATen/ATen.h>

#include "images/encode.hpp"
#include "seedbed/error.hpp"

namespace seedbed::images {
namespace {

// Writes into memory. libpng reports by longjmp, so try_write holds nothing that has a destructor.
class PngWriter {
 public:
  PngWriter() {
    png_ = png_create_write_struct(PNG_LIBPNG_VER_STRING, this, &PngWriter::on_problem, &PngWriter::on_problem);
    info_ = png_ == nullptr ? nullptr : png_create_info_struct(png_);
    if (info_ == nullptr) throw std::bad_alloc();
  }
  ~PngWriter() { png_destroy_write_struct(&png_, &info_); }
  PngWriter(const PngWriter&) = delete;
  PngWriter& operator=(const PngWriter&) = delete;

  // `pixels` are bytes; with 16 bits a sample, a pixel's two bytes are the last dimension, the higher one first.
  std::string write(const at::Tensor& pixels, int colour_type, int bit_depth = 8) {
    const at::Tensor contiguous = pixels.contiguous();
    auto* bytes = const_cast<png_bytep>(contiguous.const_data_ptr<std::uint8_t>());  // libpng's rows are not const
    std::vector<png_bytep> rows;
    for (std::int64_t row = 0; row < contiguous.size(0); ++row) rows.push_back(bytes + row * contiguous.stride(0));
    if (!try_write(rows.data(), static_cast<png_uint_32>(pixels.size(1)), static_cast<png_uint_32>(pixels.size(0)),
                   colour_type, bit_depth))
      throw ContractError("libpng", "an image can be written", "no problem", message_);
    return std::move(bytes_);
  }

 private:
  static void on_problem(png_structp png, png_const_charp message) {
    auto* writer = static_cast<PngWriter*>(png_get_error_ptr(png));
    std::snprintf(writer->message_, sizeof writer->message_, "%s", message);
    png_longjmp(png, 1);
  }

  static void on_write(png_structp png, png_bytep data, std::size_t count) {
    static_cast<PngWriter*>(png_get_io_ptr(png))->bytes_.append(reinterpret_cast<const char*>(data), count);
  }

  bool try_write(png_bytepp rows, png_uint_32 width, png_uint_32 height, int colour_type, int bit_depth) {
    if (setjmp(png_jmpbuf(png_)) != 0) return false;
    png_set_write_fn(png_, this, &PngWriter::on_write, nullptr);
    png_set_IHDR(png_, info_, width, height, bit_depth, colour_type, PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
                 PNG_FILTER_TYPE_DEFAULT);
    if (colour_type == PNG_COLOR_TYPE_PALETTE) {
      png_color palette[256];
      for (std::size_t i = 0; i < 256; ++i)
        palette[i] = {voc_colour_map()[i][0], voc_colour_map()[i][1], voc_colour_map()[i][2]};
      png_set_PLTE(png_, info_, palette, 256);
    }
    png_write_info(png_, info_);
    png_write_image(png_, rows);
    png_write_end(png_, nullptr);
    return true;
  }

  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
  std::string bytes_;
  char message_[160] = "";
};

void require_bytes(const at::Tensor& pixels, bool legal_shape) {
  if (pixels.scalar_type() == at::kByte && legal_shape && pixels.numel() > 0) return;
  throw ContractError("PNG writer", "images are bytes", "[H,W] or [H,W,3] uint8", pixels.toString());
}

void write_bytes(const std::filesystem::path& file, const std::string& bytes) {
  std::ofstream stream(file, std::ios::binary);
  stream.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  stream.close();
  if (!stream)
    throw UserError(file.string(), "The image cannot be written: `" + file.string() + "`.",
                    "Check the folder, its permissions and the space left.");
}

}  // namespace

void write_label_png(const std::filesystem::path& file, const at::Tensor& labels_hw) {
  require_bytes(labels_hw, labels_hw.dim() == 2);
  write_bytes(file, PngWriter().write(labels_hw, PNG_COLOR_TYPE_PALETTE));
}

void write_image_png(const std::filesystem::path& file, const at::Tensor& image_hwc) {
  const bool is_rgb = image_hwc.dim() == 3 && image_hwc.size(2) == 3;
  require_bytes(image_hwc, is_rgb || image_hwc.dim() == 2);
  write_bytes(file, PngWriter().write(image_hwc, is_rgb ? PNG_COLOR_TYPE_RGB : PNG_COLOR_TYPE_GRAY));
}

void write_grey16_png(const std::filesystem::path& file, const at::Tensor& values_hw) {
  const at::Tensor levels = values_hw.to(at::kDouble).clamp(0, 1).mul(65535).round().to(at::kInt);
  const at::Tensor bytes = at::stack({levels.bitwise_right_shift(8), levels.bitwise_and(255)}, -1).to(at::kByte);
  require_bytes(bytes, bytes.dim() == 3);
  write_bytes(file, PngWriter().write(bytes, PNG_COLOR_TYPE_GRAY, 16));
}

}  // namespace seedbed::images
