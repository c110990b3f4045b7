#include "seedbed/kernels/resize.hpp"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "seedbed/error.hpp"
#include "support/formula_tensors.hpp"
#include "support/tensor_matchers.hpp"

namespace seedbed::kernels {
namespace {

using testing::equals_tensor;
using testing::formula_unit;
using testing::has_shape;
using ::testing::HasSubstr;
using ::testing::Throws;
using ::testing::ThrowsMessage;

/// floor(256 u) of the formula stream "image".
at::Tensor image(std::int64_t height, std::int64_t width, std::int64_t channels) {
  return (formula_unit("image", height * width * channels) * 256).to(at::kByte).view({height, width, channels});
}

/// Sum of value times (1 + position modulo 65521): any misplaced or misrounded pixel shows.
std::int64_t checksum(const at::Tensor& resized) {
  const at::Tensor values = resized.flatten().to(at::kLong);
  return (values * (at::arange(values.numel()).remainder(65521) + 1)).sum().item<std::int64_t>();
}

// Checksums of what Pillow 12.0.0 makes of the same images.
TEST(ResizeImageAsPil, EqualsPillow) {
  struct Case {
    std::int64_t height, width, new_height, new_width;
    std::int64_t nearest, bilinear, bicubic;
  };
  for (const auto& [height, width, new_height, new_width, nearest, bilinear, bicubic] : std::vector<Case>{
           {37, 53, 18, 26, 126110772, 125684948, 125715784},
           {37, 53, 74, 106, 35294996966, 35364131842, 35300157478},
           {21, 31, 32, 46, 1224027636, 1239347550, 1237258467},
           {50, 40, 50, 17, 412690466, 413606395, 413611726},
           {50, 40, 9, 40, 77143954, 74263682, 74276929},
           {64, 64, 7, 301, 2519290321, 2533536269, 2533989658},
           {5, 3, 64, 1, 1659032, 1847609, 1860488},
           {1, 1, 4, 3, 128568, 128568, 128568},
           {120, 90, 119, 91, 67316928431, 67291300030, 67289972225},
       }) {
    SCOPED_TRACE(std::to_string(height) + " x " + std::to_string(width) + " to " + std::to_string(new_height) + " x " +
                 std::to_string(new_width));
    const at::Tensor source = image(height, width, 3);
    const auto resized = [&](ResizeFilter filter) {
      return checksum(resize_image_as_pil(source, new_height, new_width, filter));
    };
    EXPECT_EQ(resized(ResizeFilter::nearest), nearest);
    EXPECT_EQ(resized(ResizeFilter::bilinear), bilinear);
    EXPECT_EQ(resized(ResizeFilter::bicubic), bicubic);
  }
}

TEST(ResizeImageAsPil, TreatsChannelsAlone) {
  const at::Tensor source = image(13, 17, 3);
  for (const ResizeFilter filter : {ResizeFilter::nearest, ResizeFilter::bilinear, ResizeFilter::bicubic}) {
    const at::Tensor resized = resize_image_as_pil(source, 9, 30, filter);
    const at::Tensor green = resize_image_as_pil(source.select(2, 1), 9, 30, filter);
    EXPECT_THAT(green, equals_tensor(resized.select(2, 1).contiguous()));
  }
}

TEST(ResizeImageAsPil, KeepsImagesOfTheRightSize) {
  const at::Tensor source = image(5, 6, 3);
  EXPECT_THAT(resize_image_as_pil(source, 5, 6, ResizeFilter::bicubic), equals_tensor(source));
  EXPECT_THAT(resize_image_as_pil(at::full({4, 4, 1}, 200, at::kByte), 9, 3, ResizeFilter::bicubic),
              equals_tensor(at::full({9, 3, 1}, 200, at::kByte)));
}

TEST(ResizeImageAsPil, KeepsLabelsWhereNearest) {
  const at::Tensor labels = at::tensor({0, 254, 255, 7}, at::kByte).view({2, 2});
  EXPECT_THAT(resize_image_as_pil(labels, 4, 2, ResizeFilter::nearest),
              equals_tensor(at::tensor({0, 254, 0, 254, 255, 7, 255, 7}, at::kByte).view({4, 2})));
}

TEST(ResizeImageAsPil, GivesTheSameBitsForAnyNumberOfThreads) {
  const at::Tensor source = image(64, 40, 3);
  const int before = at::get_num_threads();
  at::set_num_threads(1);
  const at::Tensor one = resize_image_as_pil(source, 150, 90, ResizeFilter::bicubic);
  at::set_num_threads(3);
  const at::Tensor three = resize_image_as_pil(source, 150, 90, ResizeFilter::bicubic);
  at::set_num_threads(before);
  EXPECT_THAT(three, equals_tensor(one));
}

TEST(ResizeImageAsPil, RefusesEmptySizes) {
  EXPECT_THAT([] { resize_image_as_pil(image(4, 4, 3), 0, 3, ResizeFilter::bilinear); },
              ThrowsMessage<UserError>(HasSubstr("`0 x 3`")));
  EXPECT_THAT(
      [] {
        resize_image_as_pil(at::zeros({0, 4, 3}, at::kByte), 2, 2, ResizeFilter::nearest);
      },
      Throws<UserError>());
  EXPECT_THAT([] { resize_image_as_pil(at::zeros({4, 4, 3}), 2, 2, ResizeFilter::nearest); }, Throws<ContractError>());
}

TEST(ResizeMaps, EqualsBilinearInterpolationOfAnyRank) {
  const at::Tensor maps = testing::formula_input("maps", {2, 3, 5, 6});
  for (const bool corners : {false, true}) {
    const at::Tensor wanted = at::upsample_bilinear2d(maps, {9, 4}, corners);
    EXPECT_THAT(resize_maps(maps, 9, 4, corners), equals_tensor(wanted));
    EXPECT_THAT(resize_maps(maps[1][2], 9, 4, corners), equals_tensor(wanted[1][2]));
  }
  EXPECT_THAT(resize_maps(maps, 5, 6, false), equals_tensor(maps));
  EXPECT_THAT([&] { resize_maps(maps, 0, 4, false); }, Throws<UserError>());
}

TEST(ResizeMaps, KeepsTheGraph) {
  const at::Tensor maps = testing::formula_input("maps", {1, 4, 4}).requires_grad_();
  resize_maps(maps, 8, 8, false).sum().backward();
  EXPECT_NEAR(maps.grad().sum().item<double>(), 64, 1e-3);
}

TEST(RoundHalfEven, RoundsAsPythonDoes) {
  const std::vector<std::pair<double, std::int64_t>> cases{{0.5, 0}, {1.5, 2}, {2.5, 2},  {187.5, 188}, {562.5, 562},
                                                           {2.4, 2}, {2.6, 3}, {-0.5, 0}, {-1.5, -2},   {-2.6, -3}};
  for (const auto& [value, wanted] : cases) EXPECT_EQ(round_half_even(value), wanted) << value;
}

}  // namespace
}  // namespace seedbed::kernels
