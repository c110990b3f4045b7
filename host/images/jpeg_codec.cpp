#include "images/jpeg_codec.hpp"

#include <csetjmp>
#include <cstddef>
#include <cstdio>  // jpeglib.h needs it before it

#include <jpeglib.h>

#include <ATen/ATen.h>

#include "seedbed/error.hpp"

namespace seedbed::images {
namespace {

constexpr int kExifMarker = JPEG_APP0 + 1;

// The orientation tag of an EXIF block; 1 where there is none. Every access is checked: the block is a file's.
class ExifBlock {
 public:
  ExifBlock(const std::uint8_t* bytes, std::size_t size) : bytes_(bytes), size_(size) {}

  int orientation() const {
    constexpr std::size_t tiff = 6;  // after "Exif\0\0"
    if (size_ < tiff + 8 || std::string_view(reinterpret_cast<const char*>(bytes_), 4) != "Exif") return 1;
    const bool big_endian = bytes_[tiff] == 'M';
    const std::size_t directory = tiff + number(tiff + 4, 4, big_endian);
    const std::size_t count = number(directory, 2, big_endian);
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t entry = directory + 2 + i * 12;
      if (entry + 12 > size_) return 1;
      if (number(entry, 2, big_endian) != 0x0112) continue;
      const std::size_t value = number(entry + 8, 2, big_endian);
      return value >= 1 && value <= 8 ? static_cast<int>(value) : 1;
    }
    return 1;
  }

 private:
  std::size_t number(std::size_t offset, std::size_t bytes, bool big_endian) const {
    if (offset > size_ || bytes > size_ - offset) return 0;
    std::size_t value = 0;
    for (std::size_t i = 0; i < bytes; ++i) value = (value << 8) | bytes_[offset + (big_endian ? i : bytes - 1 - i)];
    return value;
  }

  const std::uint8_t* bytes_;
  std::size_t size_;
};

// One file being read. libjpeg reports by a callback that must not return, so the functions that set a jump target
// hold nothing that has a destructor.
class JpegReader {
 public:
  explicit JpegReader(const FileBytes& file) : file_(file) {
    decoder_.err = jpeg_std_error(&errors_.base);
    errors_.base.error_exit = &JpegReader::on_error;
    errors_.base.emit_message = &JpegReader::on_message;
    jpeg_create_decompress(&decoder_);
  }
  ~JpegReader() { jpeg_destroy_decompress(&decoder_); }
  JpegReader(const JpegReader&) = delete;
  JpegReader& operator=(const JpegReader&) = delete;

  JpegHeader read_header() {
    if (!try_read_header()) fail();
    JpegHeader header{decoder_.image_height, decoder_.image_width, 1};
    for (const jpeg_marker_struct* marker = decoder_.marker_list; marker != nullptr; marker = marker->next)
      if (marker->marker == kExifMarker)
        header.exif_orientation = ExifBlock(marker->data, marker->data_length).orientation();
    if (decoder_.num_components != 1 && decoder_.num_components != 3)
      throw UserError(
          file_.path.string(),
          "The JPEG file is neither grey nor RGB: `" + std::to_string(decoder_.num_components) + "` components.",
          "Convert it from CMYK to RGB.");
    return header;
  }

  void read_rows(std::uint8_t* pixels) {
    if (!try_read_rows(pixels)) fail();
  }

 private:
  struct Errors {
    jpeg_error_mgr base;
    std::jmp_buf target;
    char message[JMSG_LENGTH_MAX];
  };

  static Errors& errors_of(j_common_ptr decoder) { return *reinterpret_cast<Errors*>(decoder->err); }

  static void on_error(j_common_ptr decoder) {
    Errors& errors = errors_of(decoder);
    (*errors.base.format_message)(decoder, errors.message);
    std::longjmp(errors.target, 1);
  }

  // Level -1 is a warning: the pixels that follow are guesses.
  static void on_message(j_common_ptr decoder, int level) {
    if (level < 0) on_error(decoder);
  }

  bool try_read_header() {
    if (setjmp(errors_.target) != 0) return false;
    jpeg_mem_src(&decoder_, reinterpret_cast<const unsigned char*>(file_.bytes.data()), file_.bytes.size());
    jpeg_save_markers(&decoder_, kExifMarker, 0xFFFF);
    jpeg_read_header(&decoder_, TRUE);
    return true;
  }

  bool try_read_rows(std::uint8_t* pixels) {
    if (setjmp(errors_.target) != 0) return false;
    decoder_.out_color_space = JCS_RGB;
    jpeg_start_decompress(&decoder_);
    const std::size_t row_bytes = std::size_t{decoder_.output_width} * 3;
    while (decoder_.output_scanline < decoder_.output_height) {
      JSAMPROW row = pixels + decoder_.output_scanline * row_bytes;
      jpeg_read_scanlines(&decoder_, &row, 1);
    }
    jpeg_finish_decompress(&decoder_);
    return true;
  }

  [[noreturn]] void fail() const {
    throw UserError(file_.path.string(), "The JPEG file is damaged: `" + std::string(errors_.message) + "`.",
                    "Copy or write it again.");
  }

  const FileBytes& file_;
  jpeg_decompress_struct decoder_{};
  Errors errors_{};
};

}  // namespace

JpegHeader read_jpeg_header(const FileBytes& file) { return JpegReader(file).read_header(); }

at::Tensor decode_jpeg(const FileBytes& file, std::int64_t maximum_pixels) {
  JpegReader reader(file);
  const JpegHeader header = reader.read_header();
  check_image_size(file, header.height_px, header.width_px, maximum_pixels);
  at::Tensor pixels = at::empty({header.height_px, header.width_px, 3}, at::kByte);
  reader.read_rows(pixels.mutable_data_ptr<std::uint8_t>());
  return pixels;
}

}  // namespace seedbed::images
