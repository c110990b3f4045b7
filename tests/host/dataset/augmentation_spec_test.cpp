#include "dataset/augmentation_spec.hpp"

#include <gmock/gmock.h>

#include "expect_user_error.hpp"

namespace seedbed::dataset {
namespace {

using seedbed::testing::errors_of;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(Augmentation, FillsInDefaults) {
  EXPECT_THAT(
      to_strings(augmentation_from({"flip", "random_scale:0.5:2.0", "resize_long:320:640", "random_resized_crop:320",
                                    "crop:321", "color_jitter:0.3:0.3:0.3:0.1"})),
      ElementsAre("flip:0.5", "random_scale:0.5:2:bicubic:even", "resize_long:320:640:bicubic",
                  "random_resized_crop:320:0.08:1:bicubic", "crop:321:random", "color_jitter:0.3:0.3:0.3:0.1:1"));
  EXPECT_THAT(to_strings(augmentation_from({"resize:384:512", "resize_short:256:bilinear", "center_crop:224",
                                            "greyscale:0.2", "blur:0.1:2", "solarise:0.2"})),
              ElementsAre("resize:384:512:bicubic", "resize_short:256:bilinear", "center_crop:224", "greyscale:0.2",
                          "blur:0.1:2:1", "solarise:0.2:128"));
}

TEST(Augmentation, TextsReadBackEqual) {
  const Augmentation augmentation = augmentation_from({"flip:0.25", "random_resized_crop:64:0.2:0.9", "crop:8:top_left",
                                                       "scale_of:bilinear_cv:down:0.5:0.75:1:1.25:1.5"});
  EXPECT_EQ(augmentation_from(to_strings(augmentation)), augmentation);
}

TEST(Augmentation, NamesEveryWrongStepAtOnce) {
  EXPECT_THAT(errors_of([] {
                augmentation_from({"flpi", "crop", "flip:2", "random_scale:2:0.5", "crop:32.5", "flip"});
              }),
              ElementsAre(AllOf(HasSubstr("`flpi`"), HasSubstr("Did you mean `flip`?")),
                          AllOf(HasSubstr("`crop`"), HasSubstr("`crop:SIDE[:PLACE]`")),
                          AllOf(HasSubstr("`flip:2`"), HasSubstr("from 0 to 1")), HasSubstr("LOW is above HIGH"),
                          HasSubstr("a whole number")));
  EXPECT_THAT(errors_of([] {
                augmentation_from({"resize:384", "random_scale:1:2:cubic", "scale_of:bicubic:even", "crop:8:left",
                                   "blur:2:1", "scale_of:bicubic:even:0.5:0"});
              }),
              ElementsAre(HasSubstr("`resize:HEIGHT:WIDTH[:FILTER]`"), HasSubstr("`bilinear_cv`"),
                          HasSubstr("`scale_of:FILTER:ROUND:S...`"), HasSubstr("`top_left`"),
                          HasSubstr("LOW is above HIGH"), HasSubstr("S is a number from 0.01 to 100")));
}

TEST(InputSize, ReadsEveryRule) {
  for (const char* text : {"native", "long_side:448", "square:320", "ceil:16"})
    EXPECT_EQ(to_string(input_size_from(text)), text);
}

TEST(InputSize, RefusesWhatIsMalformed) {
  for (const char* text : {"native:1", "long_side", "square:0", "ceil:1.5", "square:3x", ""})
    EXPECT_THAT(errors_of([&] { input_size_from(text); }), ElementsAre(HasSubstr("long_side:448"))) << text;
  EXPECT_THAT(errors_of([] { input_size_from("longside:448"); }), ElementsAre(HasSubstr("Did you mean `long_side`?")));
}

TEST(InputSize, RoundsHalfToEven) {
  EXPECT_EQ(input_extent(input_size_from("native"), {333, 501}, 0.5), (Extent{166, 250}));
  EXPECT_EQ(input_extent(input_size_from("native"), {335, 500}), (Extent{335, 500}));
  EXPECT_EQ(input_extent(input_size_from("native"), {1, 1}, 0.1), (Extent{1, 1}));
}

TEST(InputSize, SizesOfEachRule) {
  EXPECT_EQ(input_extent(input_size_from("long_side:448"), {480, 640}), (Extent{336, 448}));
  EXPECT_EQ(input_extent(input_size_from("long_side:448"), {640, 480}, 0.5), (Extent{224, 168}));
  EXPECT_EQ(input_extent(input_size_from("square:320"), {480, 640}, 1.5), (Extent{480, 480}));
  EXPECT_EQ(input_extent(input_size_from("ceil:16"), {375, 500}), (Extent{384, 512}));
  // The exact product is rounded up, not the rounded side: 375 * 1.28 = 480.0 stays, 500 * 0.9608 = 480.4 does not.
  EXPECT_EQ(input_extent(input_size_from("ceil:16"), {500, 500}, 0.9608), (Extent{496, 496}));
}

}  // namespace
}  // namespace seedbed::dataset
