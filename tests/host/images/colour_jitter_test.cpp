#include "images/colour_jitter.hpp"

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
