#include "images/photometric.hpp"

#include <array>

#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include "support/tensor_matchers.hpp"

namespace seedbed::images {
namespace {

using seedbed::testing::equals_tensor;

// (37 y + 101 x + 59 c + (7 x y mod 13)) mod 256, which a Python line makes as well.
at::Tensor formula_image() {
  at::Tensor image = at::empty({7, 9, 3}, at::kByte);
  auto* value = image.mutable_data_ptr<std::uint8_t>();
  for (int y = 0; y < 7; ++y)
    for (int x = 0; x < 9; ++x)
      for (int c = 0; c < 3; ++c)
        *value++ = static_cast<std::uint8_t>((37 * y + 101 * x + 59 * c + (x * y * 7) % 13) % 256);
  return image;
}

std::array<int, 3> at_pixel(const at::Tensor& image, std::int64_t y, std::int64_t x) {
  return {image[y][x][0].item<int>(), image[y][x][1].item<int>(), image[y][x][2].item<int>()};
}

std::int64_t total(const at::Tensor& image) { return image.sum().item<std::int64_t>(); }

struct Blurred {
  double radius_px;
  std::array<int, 3> middle, first, last;
  std::int64_t sum;
};

// Numbers of Pillow 13.0.0: ImageFilter.GaussianBlur(radius).
TEST(Photometric, BlurIsPillows) {
  const Blurred known[] = {{0.1, {9, 68, 127}, {0, 59, 118}, {17, 76, 135}, 24611},
                           {0.7, {88, 108, 127}, {32, 86, 135}, {80, 100, 118}, 24618},
                           {1.3, {126, 125, 129}, {80, 110, 129}, {121, 128, 121}, 24611},
                           {2.0, {130, 128, 130}, {97, 112, 130}, {125, 131, 121}, 24444},
                           {4.5, {121, 126, 127}, {114, 120, 125}, {118, 129, 128}, 23492}};
  for (const Blurred& expected : known) {
    SCOPED_TRACE(expected.radius_px);
    at::Tensor image = formula_image();
    blur_gaussian(image, expected.radius_px);
    EXPECT_EQ(at_pixel(image, 3, 4), expected.middle);
    EXPECT_EQ(at_pixel(image, 0, 0), expected.first);
    EXPECT_EQ(at_pixel(image, 6, 8), expected.last);
    EXPECT_EQ(total(image), expected.sum);
  }
}

TEST(Photometric, NoRadiusBlursNothing) {
  at::Tensor image = formula_image();
  blur_gaussian(image, 0);
  EXPECT_THAT(image, equals_tensor(formula_image()));
}

// Pillow 13.0.0: ImageOps.solarize(image, 128).
TEST(Photometric, SolariseTurnsBrightValuesRound) {
  at::Tensor image = formula_image();
  solarise(image, 128);
  EXPECT_EQ(total(image), 11978);
  EXPECT_EQ(image.max().item<int>(), 127);
}

// Pillow 13.0.0: image.convert("L").
TEST(Photometric, GreyIsPillows) {
  at::Tensor image = formula_image();
  make_grey(image);
  EXPECT_EQ(at_pixel(image, 3, 4), (std::array<int, 3>{57, 57, 57}));
  EXPECT_EQ(total(image), 3 * 8239);
}

}  // namespace
}  // namespace seedbed::images
