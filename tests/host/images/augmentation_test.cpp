#include "images/augmentation.hpp"

#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include "support/tensor_matchers.hpp"

namespace seedbed::images {
namespace {

using dataset::augmentation_from;
using dataset::RandomStream;
using seedbed::testing::all_close;
using seedbed::testing::equals_tensor;
using seedbed::testing::has_shape;

// Every pixel of image, target and companions holds its own number, so a test sees where it went. The score planes are
// numbered from 0 and from 1000.
Sample numbered_sample(std::int64_t height = 6, std::int64_t width = 8) {
  const at::Tensor numbers = at::arange(height * width).to(at::kByte).view({height, width});
  const at::Tensor scores = at::stack({numbers.to(at::kFloat), numbers.to(at::kFloat) + 1000});
  return make_sample(numbers.unsqueeze(2).expand({height, width, 3}).contiguous(), numbers,
                     {{"saliency", {CompanionKind::grey, numbers, {}, 1}},
                      {"sure", {CompanionKind::labels, numbers, {}, 1}},
                      {"maps", {CompanionKind::scores, scores, {0, 2}, 4}}});
}

Sample augmented(const Sample& sample, const std::string& step, const std::string& stream = "a") {
  RandomStream random(stream);
  return augment_sample(sample, augmentation_from({step}), random);
}

void expect_joint(const Sample& sample) {
  const at::Tensor grey = sample.image_hwc.select(2, 0).contiguous();
  EXPECT_THAT(sample.companions.at("saliency").values, equals_tensor(grey));
  EXPECT_THAT(sample.companions.at("sure").values, equals_tensor(sample.target_hw));
  const at::Tensor inside = sample.target_hw.ne(255);
  const at::Tensor& maps = sample.companions.at("maps").values;
  EXPECT_THAT(maps[0].masked_select(inside), equals_tensor(grey.masked_select(inside).to(at::kFloat)));
  EXPECT_EQ(maps.masked_fill(inside, 0).abs().sum().item<float>(), 0.0F) << "padding of scores is 0";
  EXPECT_THAT(maps[1].masked_select(inside), equals_tensor(grey.masked_select(inside).to(at::kFloat) + 1000));
}

// The number at a pixel of the view is the one where its centre lies in the image.
void expect_placed(const Sample& sample, std::int64_t width) {
  for (std::int64_t y = sample.valid.top; y < sample.valid.bottom; ++y)
    for (std::int64_t x = sample.valid.left; x < sample.valid.right; ++x) {
      const double row = sample.rows.scale * (static_cast<double>(y) + 0.5) + sample.rows.offset;
      const double column = sample.columns.scale * (static_cast<double>(x) + 0.5) + sample.columns.offset;
      EXPECT_EQ(sample.target_hw[y][x].item<int>(),
                static_cast<std::int64_t>(row) * width + static_cast<std::int64_t>(column));
    }
}

TEST(Augmentation, KnowsWhereItsPixelsLieInTheImage) {
  for (int i = 0; i < 20; ++i) {
    RandomStream random(std::to_string(i));
    const Sample sample = augment_sample(numbered_sample(10, 12),
                                         augmentation_from({"flip", "crop:14", "flip", "crop:9", "flip:1"}), random);
    expect_placed(sample, 12);
  }
  // Halved sides: each pixel of the view is two of the image.
  const Sample halved = resize_sample(augmented(numbered_sample(), "flip:1"), {3, 4});
  EXPECT_EQ(halved.rows, (SideMap{2, 0}));
  EXPECT_EQ(halved.columns, (SideMap{-2, 8}));
}

TEST(ResizeSample, TakesCompanionsFromTheirOwnSize) {
  Sample sample = numbered_sample();
  sample.companions.at("maps").values = at::tensor({1.0F, 3.0F}).view({1, 1, 2});
  const Sample same = resize_sample(sample, {6, 8});
  // Half-pixel centres, as torch's interpolate: 1 1 1.25 1.75 2.25 2.75 3 3 in every row of eight.
  const at::Tensor expected = at::tensor({1.0F, 1.0F, 1.25F, 1.75F, 2.25F, 2.75F, 3.0F, 3.0F}).repeat({1, 6, 1});
  EXPECT_THAT(same.companions.at("maps").values, all_close(expected, 1e-6));
  EXPECT_THAT(same.image_hwc, equals_tensor(sample.image_hwc));
  sample.companions.at("maps").values = at::zeros({0, 3, 4});
  EXPECT_THAT(resize_sample(sample, {2, 2}).companions.at("maps").values, has_shape({0, 2, 2}));
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

TEST(Augmentation, ScalesByOneOfTheFactors) {
  std::set<std::int64_t> widths;
  for (int i = 0; i < 60; ++i)
    widths.insert(
        augmented(numbered_sample(6, 9), "scale_of:bilinear:down:0.5:1:1.5", std::to_string(i)).image_hwc.size(1));
  EXPECT_EQ(widths, (std::set<std::int64_t>{4, 9, 13})) << "what is left of the point";
  EXPECT_THAT(augmented(numbered_sample(6, 9), "random_scale:1.5:1.5").image_hwc, has_shape({9, 14, 3})) << "to even";
  EXPECT_THAT(augmented(numbered_sample(6, 9), "random_scale:1.5:1.5:bicubic:down").image_hwc, has_shape({9, 13, 3}));
}

TEST(Augmentation, ResizesToASizeOrByTheShorterSide) {
  EXPECT_THAT(augmented(numbered_sample(6, 9), "resize:4:5").image_hwc, has_shape({4, 5, 3}));
  EXPECT_THAT(augmented(numbered_sample(6, 10), "resize_short:4").image_hwc, has_shape({4, 6, 3})) << "6.67, cut off";
  EXPECT_THAT(augmented(numbered_sample(10, 6), "resize_short:4").image_hwc, has_shape({6, 4, 3}));
}

// A row 0 100 200 44, halved. PIL spreads its triangle over four pixels, OpenCV looks at two.
TEST(Augmentation, FiltersAreThoseOfTheirLibraries) {
  const at::Tensor row = at::tensor({0, 100, 200, 44}, at::kByte).view({1, 4, 1}).expand({1, 4, 3}).contiguous();
  const auto halved = [&](const std::string& filter) {
    const at::Tensor image = augmented(make_sample(row), "resize:1:2:" + filter).image_hwc;
    return std::pair(image[0][0][0].item<int>(), image[0][1][0].item<int>());
  };
  EXPECT_EQ(halved("bilinear_cv"), std::pair(50, 122));
  EXPECT_EQ(halved("bilinear"), std::pair(71, 119)) << "Pillow 13.0.0";
  EXPECT_EQ(halved("bicubic"), std::pair(68, 124)) << "Pillow 13.0.0";
}

TEST(Augmentation, CropMayKeepASmallerImageAtTheUpperLeft) {
  const Sample cropped = augmented(numbered_sample(), "crop:10:top_left");
  EXPECT_EQ(cropped.valid, (PixelBox{0, 0, 6, 8}));
  EXPECT_EQ(cropped.columns, (SideMap{1, 0}));
}

TEST(Augmentation, CenterCropTakesTheMiddle) {
  const Sample cropped = augmented(numbered_sample(7, 9), "center_crop:4");
  EXPECT_EQ(cropped.rows.offset, 2) << "1.5 to even";
  EXPECT_EQ(cropped.columns.offset, 2) << "2.5 to even";
  expect_joint(cropped);
  const Sample padded = augmented(numbered_sample(3, 9), "center_crop:6");
  EXPECT_EQ(padded.valid, (PixelBox{1, 0, 4, 6}));
  expect_joint(padded);
}

TEST(Augmentation, PhotometricStepsMoveNothingAndHappenAsOftenAsSaid) {
  for (const std::string step : {"greyscale", "blur:1:2", "solarise", "color_jitter:0.4:0.4:0.4:0.1"}) {
    const bool has_numbers = step != "solarise" && step != "greyscale";
    const std::string probability = has_numbers ? ":0.3" : (step == "solarise" ? ":0.3:0" : ":0.3");
    int changed = 0;
    Sample sample = numbered_sample(6, 8);
    sample.image_hwc.select(2, 0).fill_(200);
    for (int i = 0; i < 200; ++i) {
      const Sample seen = augmented(sample, step + probability, std::to_string(i));
      changed += seen.image_hwc.equal(sample.image_hwc) ? 0 : 1;
      EXPECT_THAT(seen.target_hw, equals_tensor(sample.target_hw));
      EXPECT_EQ(seen.columns, (SideMap{1, 0}));
    }
    EXPECT_NEAR(changed, 60, 25) << step;
  }
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
      augmentation_from({"flip", "resize_long:8:20", "crop:12", "color_jitter:0.4:0.4:0.4:0.1", "greyscale:0.5",
                         "blur:0.1:2:0.5", "solarise:0.5"});
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
