#include "stages/loader_settings.hpp"

#include <gtest/gtest.h>

namespace seedbed::stages {
namespace {

using Sides = std::pair<std::int64_t, std::int64_t>;

Sides crop_of(std::vector<std::string> augment, const std::string& input = "native",
              std::vector<std::string> base = {}) {
  const CropSize crop = crop_size_from(Json{{"input", input}, {"base", base}, {"augment", augment}});
  return {crop.height_px, crop.width_px};
}

TEST(CropSize, IsThatOfTheLastStepThatSettlesIt) {
  EXPECT_EQ(crop_of({}), Sides(0, 0));
  EXPECT_EQ(crop_of({"flip", "blur:1:2", "greyscale", "solarise", "color_jitter:0:0:0:0"}, "square:320"),
            Sides(320, 320));
  EXPECT_EQ(crop_of({"resize:300:400", "flip"}), Sides(300, 400));
  EXPECT_EQ(crop_of({"crop:321"}), Sides(321, 321));
  EXPECT_EQ(crop_of({"center_crop:224"}), Sides(224, 224));
  EXPECT_EQ(crop_of({"random_resized_crop:448"}), Sides(448, 448));
  EXPECT_EQ(crop_of({"flip"}, "native", {"crop:448"}), Sides(448, 448));
  for (const char* step :
       {"random_scale:0.5:2", "scale_of:bicubic:even:1:2", "resize_long:320:640", "resize_short:256"})
    EXPECT_EQ(crop_of({"crop:321", step}), Sides(0, 0)) << step;
}

}  // namespace
}  // namespace seedbed::stages
