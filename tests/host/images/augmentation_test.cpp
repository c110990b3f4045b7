#include "images/augmentation.hpp"

#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include "support/tensor_matchers.hpp"

namespace seedbed::images {
namespace {

using dataset::augmentation_from;
using dataset::RandomStream;
using seedbed::testing::equals_tensor;
using seedbed::testing::has_shape;

// Every pixel of image, target and side input holds its own number, so a test sees where it went.
Sample numbered_sample(std::int64_t height = 6, std::int64_t width = 8) {
  const at::Tensor numbers = at::arange(height * width).to(at::kByte).view({height, width});
  return make_sample(numbers.unsqueeze(2).expand({height, width, 3}).contiguous(), numbers, {{"saliency", numbers}});
}

Sample augmented(const Sample& sample, const std::string& step, const std::string& stream = "a") {
  RandomStream random(stream);
  return augment_sample(sample, augmentation_from({step}), random);
}

void expect_joint(const Sample& sample) {
  EXPECT_THAT(sample.image_hwc.select(2, 0).contiguous(), equals_tensor(sample.side.at("saliency")));
}

TEST(Augmentation, FlipMirrorsEverything) {
  Sample sample = numbered_sample();
  sample.valid = {0, 1, 6, 8};
  const Sample flipped = augmented(sample, "flip:1");
  EXPECT_THAT(flipped.target_hw, equals_tensor(sample.target_hw.flip({1})));
  EXPECT_EQ(flipped.valid, (PixelBox{0, 0, 6, 7}));
  expect_joint(flipped);
  EXPECT_THAT(augmented(sample, "flip:0").target_hw, equals_tensor(sample.target_hw));
}

TEST(Augmentation, FlipsHalfOfTheTime) {
  int flipped = 0;
  for (int i = 0; i < 200; ++i) {
    const Sample sample = augmented(numbered_sample(), "flip", std::to_string(i));
    flipped += sample.target_hw[0][0].item<int>() != 0;
  }
  EXPECT_NEAR(flipped, 100, 30);
}

TEST(Augmentation, CropOfALargerImageIsAWindow) {
  for (int i = 0; i < 20; ++i) {
    const Sample cropped = augmented(numbered_sample(), "crop:4", std::to_string(i));
    EXPECT_THAT(cropped.image_hwc, has_shape({4, 4, 3}));
    EXPECT_EQ(cropped.valid, (PixelBox{0, 0, 4, 4}));
    EXPECT_EQ((cropped.target_hw[3][3] - cropped.target_hw[0][0]).item<int>(), 3 * 8 + 3);
    expect_joint(cropped);
  }
}

TEST(Augmentation, CropOfASmallerImagePadsIt) {
  std::set<std::int64_t> tops;
  for (int i = 0; i < 40; ++i) {
    const Sample cropped = augmented(numbered_sample(), "crop:10", std::to_string(i));
    const PixelBox& valid = cropped.valid;
    EXPECT_EQ(valid.bottom - valid.top, 6);
    EXPECT_EQ(valid.right - valid.left, 8);
    const at::Tensor inside = cropped.target_hw.narrow(0, valid.top, 6).narrow(1, valid.left, 8).contiguous();
    EXPECT_THAT(inside, equals_tensor(numbered_sample().target_hw));
    EXPECT_EQ(cropped.target_hw.eq(255).sum().item<int>(), 100 - 48);
    EXPECT_EQ(cropped.image_hwc.select(2, 0).sum().item<int>(), numbered_sample().target_hw.sum().item<int>());
    tops.insert(valid.top);
  }
  EXPECT_EQ(tops.size(), 5U);
}

TEST(Augmentation, ResizeLongDrawsBothEnds) {
  std::set<std::int64_t> sides;
  for (int i = 0; i < 60; ++i) {
    const Sample resized = augmented(numbered_sample(), "resize_long:9:11", std::to_string(i));
    sides.insert(resized.image_hwc.size(1));
    EXPECT_EQ(resized.target_hw.sizes(), resized.image_hwc.sizes().slice(0, 2));
    EXPECT_EQ(resized.valid.right, resized.image_hwc.size(1));
  }
  EXPECT_EQ(sides, (std::set<std::int64_t>{9, 10, 11}));
}

TEST(Augmentation, RandomScaleKeepsTheRatio) {
  const Sample scaled = augmented(numbered_sample(30, 40), "random_scale:2:2");
  EXPECT_THAT(scaled.image_hwc, has_shape({60, 80, 3}));
  EXPECT_EQ(scaled.valid, (PixelBox{0, 0, 60, 80}));
}

TEST(Augmentation, RandomResizedCropHasItsSide) {
  for (int i = 0; i < 20; ++i) {
    const Sample cropped = augmented(numbered_sample(40, 60), "random_resized_crop:16", std::to_string(i));
    EXPECT_THAT(cropped.image_hwc, has_shape({16, 16, 3}));
    EXPECT_THAT(cropped.target_hw, has_shape({16, 16}));
    EXPECT_EQ(cropped.valid, (PixelBox{0, 0, 16, 16}));
  }
  EXPECT_THAT(augmented(numbered_sample(2, 200), "random_resized_crop:8:1:1").image_hwc, has_shape({8, 8, 3}));
}

TEST(Augmentation, NearestKeepsLabels) {
  const Sample resized = resize_sample(numbered_sample(), {3, 4});
  for (std::int64_t i = 0; i < resized.target_hw.numel(); ++i) {
    const int label = resized.target_hw.view(-1)[i].item<int>();
    EXPECT_TRUE(label % 8 % 2 == 1 && label / 8 % 2 == 1) << label;
  }
}

TEST(Augmentation, TheStreamDecidesAlone) {
  const dataset::Augmentation steps =
      augmentation_from({"flip", "resize_long:8:20", "crop:12", "color_jitter:0.4:0.4:0.4:0.1"});
  RandomStream first("x"), again("x"), other("y");
  const Sample a = augment_sample(numbered_sample(), steps, first), b = augment_sample(numbered_sample(), steps, again);
  EXPECT_THAT(a.image_hwc, equals_tensor(b.image_hwc));
  EXPECT_FALSE(a.image_hwc.equal(augment_sample(numbered_sample(), steps, other).image_hwc));
}

TEST(Augmentation, LeavesItsInputAlone) {
  const Sample sample = numbered_sample();
  const at::Tensor image = sample.image_hwc.clone();
  augmented(sample, "color_jitter:0.9:0.9:0.9:0.5");
  augmented(sample, "crop:10");
  EXPECT_THAT(sample.image_hwc, equals_tensor(image));
}

TEST(ResizeInput, FollowsTheRule) {
  const at::Tensor image = numbered_sample(30, 40).image_hwc;
  EXPECT_THAT(resize_input(image, dataset::input_size_from("square:16")), has_shape({16, 16, 3}));
  EXPECT_THAT(resize_input(image, dataset::input_size_from("native"), 0.5), has_shape({15, 20, 3}));
  EXPECT_THAT(resize_input(image, {}), equals_tensor(image));
}

}  // namespace
}  // namespace seedbed::images
