#include "images/png_codec.hpp"

#include <png.h>

#include <algorithm>
#include <csetjmp>
#include <cstdio>
#include <cstring>
#include <vector>

#include <ATen/ATen.h>

#include "seedbed/error.hpp"

namespace seedbed::images {
namespace {

// One file being read. libpng reports by longjmp, so the functions below that set a jump target hold nothing that has
// a destructor; all memory belongs to this object and to their callers.
class PngReader {
 public:
  explicit PngReader(const FileBytes& file) : file_(file) {
    png_ = png_create_read_struct(PNG_LIBPNG_VER_STRING, this, &PngReader::on_problem, &PngReader::on_problem);
    info_ = png_ == nullptr ? nullptr : png_create_info_struct(png_);
    if (info_ == nullptr) throw std::bad_alloc();
  }
  ~PngReader() { png_destroy_read_struct(&png_, &info_, nullptr); }
  PngReader(const PngReader&) = delete;
  PngReader& operator=(const PngReader&) = delete;

  PngHeader read_header() {
    if (!try_read_header()) fail();
    const int colour = png_get_color_type(png_, info_);
    const bool is_rgb = colour == PNG_COLOR_TYPE_RGB || colour == PNG_COLOR_TYPE_RGB_ALPHA;
    return {png_get_image_height(png_, info_), png_get_image_width(png_, info_), png_get_bit_depth(png_, info_), is_rgb,
            (colour & PNG_COLOR_MASK_ALPHA) != 0};
  }

  void read_rows(PngSamples samples, std::uint8_t* pixels, std::size_t row_bytes, std::size_t num_rows) {
    std::vector<png_bytep> rows(num_rows);
    for (std::size_t i = 0; i < num_rows; ++i) rows[i] = pixels + i * row_bytes;
    if (!try_read_rows(samples, rows.data(), row_bytes)) fail();
  }

 private:
  static void on_problem(png_structp png, png_const_charp message) {
    auto* reader = static_cast<PngReader*>(png_get_error_ptr(png));
    std::snprintf(reader->message_, sizeof reader->message_, "%s", message);
    png_longjmp(png, 1);
  }

  static void on_read(png_structp png, png_bytep out, std::size_t count) {
    auto* reader = static_cast<PngReader*>(png_get_io_ptr(png));
    if (count > reader->file_.bytes.size() - reader->offset_) png_error(png, "the file ends too early");
    std::memcpy(out, reader->file_.bytes.data() + reader->offset_, count);
    reader->offset_ += count;
  }

  bool try_read_header() {
    if (setjmp(png_jmpbuf(png_)) != 0) return false;
    png_set_read_fn(png_, this, &PngReader::on_read);
    png_set_user_limits(png_, PNG_UINT_31_MAX, PNG_UINT_31_MAX);  // check_image_size judges
    png_set_keep_unknown_chunks(png_, PNG_HANDLE_CHUNK_NEVER, nullptr, -1);
    png_read_info(png_, info_);
    return true;
  }

  bool try_read_rows(PngSamples samples, png_bytepp rows, std::size_t row_bytes) {
    if (setjmp(png_jmpbuf(png_)) != 0) return false;
    if (samples == PngSamples::rgb) {
      png_set_expand(png_);
      png_set_strip_16(png_);
      png_set_strip_alpha(png_);
      png_set_gray_to_rgb(png_);
    } else {
      png_set_packing(png_);
    }
    png_set_interlace_handling(png_);
    png_read_update_info(png_, info_);
    if (png_get_rowbytes(png_, info_) != row_bytes) png_error(png_, "its rows have an unexpected length");
    png_read_image(png_, rows);
    png_read_end(png_, nullptr);
    return true;
  }

  [[noreturn]] void fail() const {
    throw UserError(file_.path.string(), "The PNG file is damaged: `" + std::string(message_) + "`.",
                    "Copy or write it again.");
  }

  const FileBytes& file_;
  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
  std::size_t offset_ = 0;
  char message_[160] = "";
};

}  // namespace

PngHeader read_png_header(const FileBytes& file) { return PngReader(file).read_header(); }

at::Tensor decode_png(const FileBytes& file, PngSamples samples, std::int64_t maximum_pixels) {
  PngReader reader(file);
  const PngHeader header = reader.read_header();
  check_image_size(file, header.height_px, header.width_px, maximum_pixels);
  const bool rgb = samples == PngSamples::rgb;
  std::vector<std::int64_t> shape{header.height_px, header.width_px};
  if (rgb) shape.push_back(3);
  at::Tensor pixels = at::empty(shape, at::kByte);
  reader.read_rows(samples, pixels.mutable_data_ptr<std::uint8_t>(),
                   static_cast<std::size_t>(header.width_px * (rgb ? 3 : 1)),
                   static_cast<std::size_t>(header.height_px));
  return pixels;
}

}  // namespace seedbed::images
