#include "images/decode.hpp"

#include <string>

#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include "dataset/class_table.hpp"
#include "image_files.hpp"
#include "images/encode.hpp"
#include "seedbed/error.hpp"
#include "support/temp_folder.hpp"
#include "support/tensor_matchers.hpp"

namespace seedbed::images {
namespace {

using seedbed::testing::equals_tensor;
using seedbed::testing::has_shape;
using seedbed::testing::jpeg_bytes;
using seedbed::testing::png_bytes;
using seedbed::testing::png_header_bytes;
using seedbed::testing::PngKind;
using seedbed::testing::TempFolder;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// "WHERE: MESSAGE HINT" of the UserError that `call` throws; "" where it throws none.
template <typename Call>
std::string error_of(const Call& call) {
  try {
    call();
  } catch (const UserError& error) {
    return error.where() + ": " + error.message() + " " + error.hint();
  }
  return "";
}

class Decode : public ::testing::Test {
 protected:
  std::filesystem::path jpeg(const std::string& bytes) { return folder_.write("image.jpg", bytes); }
  std::filesystem::path png(PngKind kind) { return folder_.write("mask.png", png_bytes(5, 7, kind)); }

  TempFolder folder_;
};

TEST_F(Decode, JpegIsRgbWhateverItsChannels) {
  const at::Tensor colour = decode_image(jpeg(jpeg_bytes(20, 30, 3)));
  EXPECT_THAT(colour, has_shape({20, 30, 3}));
  EXPECT_NEAR(colour[10][10][0].item<int>(), 30, 12);
  const at::Tensor grey = decode_image(jpeg(jpeg_bytes(20, 30, 1)));
  EXPECT_THAT(grey, has_shape({20, 30, 3}));
  EXPECT_TRUE(grey.select(2, 0).equal(grey.select(2, 2)));
}

TEST_F(Decode, PngIsRgbWhateverItsSamples) {
  for (PngKind kind : {PngKind::grey1, PngKind::grey8, PngKind::grey16, PngKind::grey_alpha, PngKind::palette2,
                       PngKind::rgb, PngKind::rgba})
    EXPECT_THAT(decode_image(png(kind)), has_shape({5, 7, 3}));
  EXPECT_EQ(decode_image(png(PngKind::palette2))[0][1][2].item<int>(), 60);
  EXPECT_EQ(decode_image(png(PngKind::grey1))[0][1][0].item<int>(), 255);
  EXPECT_EQ(decode_image(png(PngKind::rgba))[0][1][0].item<int>(), 4);
}

TEST_F(Decode, TheContentTellsTheFormat) {
  EXPECT_THAT(decode_image(folder_.write("image.jpg", png_bytes(5, 7, PngKind::rgb))), has_shape({5, 7, 3}));
  EXPECT_THAT(error_of([&] { decode_image(folder_.write("image.jpg", "GIF89a")); }),
              HasSubstr("neither a PNG nor a JPEG"));
  EXPECT_THAT(error_of([&] { decode_image(folder_.write("image.jpg", "")); }), HasSubstr("neither a PNG nor a JPEG"));
  EXPECT_THAT(error_of([&] { decode_image(folder_ / "none.jpg"); }),
              AllOf(HasSubstr("none.jpg"), HasSubstr("cannot be read")));
  EXPECT_THAT(error_of([&] { decode_image(folder_.path()); }), HasSubstr("cannot be read"));
}

TEST_F(Decode, TurnsAsExifSaysOnlyWhenAsked) {
  const at::Tensor stored = decode_image(jpeg(jpeg_bytes(20, 30, 3, 6)));
  EXPECT_THAT(stored, has_shape({20, 30, 3}));
  const at::Tensor turned = decode_image(folder_ / "image.jpg", {.orientation = Orientation::applied});
  EXPECT_THAT(turned, equals_tensor(stored.transpose(0, 1).flip({1}).contiguous()));
}

TEST_F(Decode, DamageIsAnErrorAtEveryLength) {
  for (const std::string& whole : {jpeg_bytes(16, 16, 3), png_bytes(16, 16, PngKind::rgb)})
    for (std::size_t length = 12; length + 2 < whole.size(); length += 7)
      EXPECT_THAT(
          error_of([&] { decode_image(folder_.write("cut" + std::to_string(length), whole.substr(0, length))); }),
          HasSubstr("cut" + std::to_string(length)))
          << length << " of " << whole.size();
}

TEST_F(Decode, FlippedBytesNeverCrash) {
  for (const std::string& whole : {jpeg_bytes(16, 16, 3, 3), png_bytes(16, 16, PngKind::palette2)})
    for (std::size_t place = 0; place < whole.size(); place += 3) {
      std::string damaged = whole;
      damaged[place] = static_cast<char>(~damaged[place]);
      // A new name each time: overwriting a file makes some file systems wait for the disk.
      const auto file = folder_.write(std::to_string(whole.size()) + "-" + std::to_string(place), damaged);
      error_of([&] { decode_image(file, {.orientation = Orientation::applied}); });
      error_of([&] { decode_mask_values(file); });
    }
}

TEST_F(Decode, RefusesSizesBeyondTheLimit) {
  EXPECT_THAT(error_of([&] { decode_image(folder_.write("bomb.png", png_header_bytes(1'000'000, 1'000'000))); }),
              AllOf(HasSubstr("bomb.png"), HasSubstr("1000000 x 1000000")));
  EXPECT_THAT(error_of([&] { decode_image(jpeg(jpeg_bytes(20, 30, 3)), {.maximum_pixels = 599}); }),
              HasSubstr("30 x 20"));
  EXPECT_THAT(error_of([&] { decode_image(jpeg(jpeg_bytes(20, 30, 3)), {.maximum_pixels = 600}); }), IsEmpty());
}

TEST_F(Decode, MasksAreIndicesOrGreyValues) {
  EXPECT_EQ(decode_mask_values(png(PngKind::palette2))[0][3].item<int>(), 3);
  EXPECT_EQ(decode_mask_values(png(PngKind::grey1))[0][1].item<int>(), 1);
  EXPECT_EQ(decode_mask_values(png(PngKind::grey8))[1][0].item<int>(), 7);
}

TEST_F(Decode, MasksInAnotherFormAreRefusedInWords) {
  EXPECT_THAT(error_of([&] { decode_mask_values(png(PngKind::rgb)); }), HasSubstr("RGB colours"));
  EXPECT_THAT(error_of([&] { decode_mask_values(png(PngKind::rgba)); }), HasSubstr("RGB colours"));
  EXPECT_THAT(error_of([&] { decode_mask_values(png(PngKind::grey16)); }), HasSubstr("16-bit"));
  EXPECT_THAT(error_of([&] { decode_mask_values(png(PngKind::grey_alpha)); }), HasSubstr("transparency"));
  EXPECT_THAT(error_of([&] { decode_mask_values(jpeg(jpeg_bytes(8, 8, 1))); }), HasSubstr("JPEG"));
}

TEST_F(Decode, MasksGoThroughTheClassTable) {
  dataset::ClassTable classes = dataset::plain_classes({"cat"});
  classes.label_of_value[2] = 0;
  classes.label_of_value[3] = 1;
  classes.known_value[2] = classes.known_value[3] = true;
  const at::Tensor mask = decode_mask(png(PngKind::palette2), classes);
  EXPECT_THAT(mask[0], equals_tensor(at::tensor({0, 1, 0, 1, 0, 1, 0}, at::kByte)));
}

TEST_F(Decode, NamesValuesThatNoClassHas) {
  EXPECT_THAT(error_of([&] { decode_mask(png(PngKind::palette2), dataset::plain_classes({"cat"})); }),
              AllOf(HasSubstr("mask.png"), HasSubstr("`2`, `3`")));
}

TEST_F(Decode, GreyImagesAreOnePlane) {
  EXPECT_THAT(decode_grey(png(PngKind::grey8)), has_shape({5, 7}));
  EXPECT_THAT(decode_grey(jpeg(jpeg_bytes(20, 30, 1))), has_shape({20, 30}));
  EXPECT_THAT(error_of([&] { decode_grey(jpeg(jpeg_bytes(20, 30, 3))); }), HasSubstr("has colours"));
}

TEST_F(Decode, SizesComeFromTheHeader) {
  EXPECT_EQ(read_image_size(jpeg(jpeg_bytes(20, 30, 3))), (ImageSize{20, 30}));
  EXPECT_EQ(read_image_size(png(PngKind::grey8)), (ImageSize{5, 7}));
}

}  // namespace
}  // namespace seedbed::images
