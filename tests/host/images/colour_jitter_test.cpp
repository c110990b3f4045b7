#include "images/colour_jitter.hpp"

#include <array>
#include <iterator>

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "support/tensor_matchers.hpp"

namespace seedbed::images {
namespace {

using seedbed::testing::equals_tensor;

at::Tensor pixels(std::vector<int> values) {
  const auto count = static_cast<std::int64_t>(values.size()) / 3;
  return at::tensor(values, at::kByte).view({1, count, 3});
}

TEST(ColourJitter, NeutralFactorsChangeNothing) {
  const at::Tensor image = pixels({200, 100, 50, 0, 255, 7, 90, 90, 90});
  for (const auto adjust : {adjust_brightness, adjust_contrast, adjust_saturation}) {
    at::Tensor copy = image.clone();
    adjust(copy, 1.0);
    EXPECT_THAT(copy, equals_tensor(image));
  }
}

struct Adjusted {
  void (*adjust)(at::Tensor& image_hwc, double factor);
  double factor;
  std::array<int, 3> middle, first, last;
  std::int64_t sum;
};

// Numbers of Pillow 13.0.0 as torchvision 0.26.0 calls it (adjust_brightness, _contrast, _saturation, _hue), of the image
// (37 y + 101 x + 59 c + (7 x y mod 13)) mod 256 of 7 x 9 pixels: pixels (3, 4), (0, 0), (6, 8) and the sum of all values.
TEST(ColourJitter, IsPillows) {
  const Adjusted known[] = {{adjust_brightness, 0.6, {5, 40, 76}, {0, 35, 70}, {10, 45, 81}, 14693},
                            {adjust_brightness, 1.35, {12, 91, 171}, {0, 79, 159}, {22, 102, 182}, 30770},
                            {adjust_contrast, 0.6, {57, 93, 128}, {52, 87, 123}, {62, 98, 133}, 24591},
                            {adjust_contrast, 1.35, {0, 45, 125}, {0, 33, 113}, {0, 56, 136}, 24334},
                            {adjust_saturation, 0.6, {28, 63, 99}, {19, 54, 90}, {36, 71, 107}, 24580},
                            {adjust_saturation, 1.35, {0, 71, 151}, {0, 62, 142}, {0, 79, 159}, 24486},
                            {adjust_hue, -0.3, {45, 127, 9}, {36, 118, 0}, {53, 135, 17}, 22623},
                            {adjust_hue, -0.07, {9, 117, 127}, {0, 108, 118}, {17, 125, 135}, 27991},
                            {adjust_hue, 0.1, {18, 9, 127}, {8, 0, 118}, {26, 17, 135}, 21102},
                            {adjust_hue, 0.45, {127, 26, 9}, {118, 17, 0}, {135, 34, 17}, 21367}};
  for (std::size_t i = 0; i < std::size(known); ++i) {
    SCOPED_TRACE(i);
    const Adjusted& expected = known[i];
    at::Tensor image = at::empty({7, 9, 3}, at::kByte);
    auto* value = image.mutable_data_ptr<std::uint8_t>();
    for (int y = 0; y < 7; ++y)
      for (int x = 0; x < 9; ++x)
        for (int c = 0; c < 3; ++c)
          *value++ = static_cast<std::uint8_t>((37 * y + 101 * x + 59 * c + (x * y * 7) % 13) % 256);
    expected.adjust(image, expected.factor);
    const auto pixel = [&](std::int64_t y, std::int64_t x) {
      return std::array<int, 3>{image[y][x][0].item<int>(), image[y][x][1].item<int>(), image[y][x][2].item<int>()};
    };
    EXPECT_EQ(pixel(3, 4), expected.middle);
    EXPECT_EQ(pixel(0, 0), expected.first);
    EXPECT_EQ(pixel(6, 8), expected.last);
    EXPECT_EQ(image.sum().item<std::int64_t>(), expected.sum);
  }
}

// Worked out from Pillow's formulas.
TEST(ColourJitter, BrightnessScalesAndCutsOff) {
  at::Tensor image = pixels({200, 101, 50});
  adjust_brightness(image, 1.5);
  EXPECT_THAT(image, equals_tensor(pixels({255, 151, 75})));
}

TEST(ColourJitter, ContrastMovesTowardsTheMeanGrey) {
  at::Tensor image = pixels({100, 100, 100, 200, 200, 200});
  adjust_contrast(image, 0.5);
  EXPECT_THAT(image, equals_tensor(pixels({125, 125, 125, 175, 175, 175})));
}

TEST(ColourJitter, WithoutSaturationPixelsAreGrey) {
  at::Tensor image = pixels({255, 0, 0, 0, 255, 0, 0, 0, 255});
  adjust_saturation(image, 0.0);
  EXPECT_THAT(image, equals_tensor(pixels({76, 76, 76, 150, 150, 150, 29, 29, 29})));
}

TEST(ColourJitter, HueTurnsRedToGreenInAThird) {
  at::Tensor image = pixels({255, 0, 0, 60, 60, 60});
  adjust_hue(image, 85.0 / 255.0);
  EXPECT_THAT(image, equals_tensor(pixels({0, 255, 0, 60, 60, 60})));
}

TEST(ColourJitter, HueShiftsBothWays) {
  at::Tensor forth = pixels({255, 128, 0}), image = forth.clone();
  adjust_hue(forth, 0.1);
  adjust_hue(forth, -0.1);
  EXPECT_LE((forth.to(at::kShort) - image.to(at::kShort)).abs().max().item<int>(), 10);  // hues have 8 bits
}

}  // namespace
}  // namespace seedbed::images
