#include "metrics/localisation.hpp"

#include <cmath>

#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include "seedbed/error.hpp"

namespace seedbed::metrics {
namespace {

using ::testing::DoubleNear;
using ::testing::ElementsAre;
using ::testing::Eq;
using ::testing::Optional;

TEST(BoxIou, CountsBothEnds) {
  EXPECT_DOUBLE_EQ(box_iou({0, 0, 1, 1}, {0, 0, 1, 1}), 1);
  EXPECT_DOUBLE_EQ(box_iou({0, 0, 1, 0}, {1, 0, 2, 0}), 1.0 / 3);
  EXPECT_DOUBLE_EQ(box_iou({0, 0, 1, 1}, {2, 0, 3, 1}), 0);
}

at::Tensor map_with(std::vector<std::array<std::int64_t, 4>> rectangles, float value = 1.0F) {
  at::Tensor map = at::zeros({20, 20});
  for (const auto& [top, left, height, width] : rectangles)
    map.slice(0, top, top + height).slice(1, left, left + width).fill_(value);
  return map;
}

// The published box reaches one pixel past what it covers: 4 x 4 pixels have one of 5 x 5.
TEST(BoxAccuracy, TakesTheLargestContourOrAny) {
  BoxAccuracy boxes({1.0});
  const at::Tensor map = map_with({{1, 1, 8, 8}, {12, 12, 4, 4}});
  boxes.add(map, {{12, 12, 16, 16}});
  EXPECT_THAT(boxes.best(Contours::largest, 0), Optional(0.0));
  EXPECT_THAT(boxes.best(Contours::any, 0), Optional(1.0));
  boxes.add(map, {{1, 1, 9, 9}});
  EXPECT_THAT(boxes.best(Contours::largest, 0), Optional(0.5));
  EXPECT_THAT(boxes.mean_best(Contours::any), Optional(1.0));
  EXPECT_EQ(boxes.num_maps(), 2);
}

TEST(BoxAccuracy, TheBestThresholdIsOneOfAll) {
  at::Tensor map = map_with({{0, 0, 10, 10}}, 0.5F);
  map.slice(0, 2, 6).slice(1, 2, 6).fill_(1.0F);
  BoxAccuracy boxes({1.0});
  boxes.add(map, {{2, 2, 6, 6}});
  EXPECT_EQ(boxes.correct(Contours::largest, 0)[0], 0);
  EXPECT_EQ(boxes.correct(Contours::largest, 0)[49], 0);  // 0.49 of 255 truncates to 124, and 0.5 is 127
  EXPECT_EQ(boxes.correct(Contours::largest, 0)[50], 1);
  EXPECT_EQ(boxes.correct(Contours::largest, 0)[99], 1);
}

TEST(BoxAccuracy, AMapOfNothingHasTheFirstPixel) {
  BoxAccuracy boxes({1.0});
  boxes.add(at::zeros({4, 4}), {{0, 0, 0, 0}});
  EXPECT_THAT(boxes.best(Contours::largest, 0), Optional(1.0));
}

TEST(BoxAccuracy, RefusesWhatItCannotRead) {
  BoxAccuracy boxes({0.5});
  EXPECT_THROW(boxes.add(at::full({2, 2}, 1.5F), {}), UserError);
  EXPECT_THROW(boxes.add(at::full({2, 2}, std::nanf("")), {}), UserError);
  EXPECT_THROW(boxes.add(at::zeros({2, 2}, at::kDouble), {}), ContractError);
  EXPECT_THROW(BoxAccuracy({0.0}), UserError);
  EXPECT_THAT(boxes.best(Contours::any, 0), Eq(std::nullopt));
}

TEST(BoxesOfObjects, AreOfTheClassThatMostPixelsHave) {
  at::Tensor instances = at::zeros({6, 6}, at::kByte), mask = at::zeros({6, 6}, at::kByte);
  instances.slice(0, 0, 2).slice(1, 0, 3).fill_(1);
  instances.slice(0, 3, 6).slice(1, 4, 6).fill_(2);
  instances[5][0] = 255;
  mask.slice(0, 0, 2).slice(1, 0, 3).fill_(7);
  mask[0][0] = 255;
  mask.slice(0, 3, 6).slice(1, 4, 6).fill_(3);
  EXPECT_THAT(boxes_of_objects(instances, mask, 7), ElementsAre(Box{0, 0, 2, 1}));
  EXPECT_THAT(boxes_of_objects(instances, mask, 3), ElementsAre(Box{4, 3, 5, 5}));
  EXPECT_THAT(boxes_of_objects(instances, mask, 1), ElementsAre());
  EXPECT_THROW(boxes_of_objects(instances, at::zeros({2, 2}, at::kByte), 1), ContractError);
}

// By hand: values 1, 0.5, 0.5, 0; truth 1, 1, 0, 0. Steps of recall: 1/2 at precision 1, 1/2 at 2/3.
TEST(PixelPrecision, SumsPrecisionOverRecall) {
  PixelPrecision precision;
  precision.add(at::tensor({1.0F, 0.5F, 0.5F, 0.0F, 0.7F}).view({1, 5}),
                at::tensor({1, 1, 0, 0, 255}, at::kByte).view({1, 5}));
  EXPECT_THAT(precision.value(), Optional(DoubleNear(0.5 + 0.5 * 2 / 3, 1e-15)));
  EXPECT_EQ(precision.hits_from_above().front(), 1);
  EXPECT_EQ(precision.others_from_above().back(), 2);
}

TEST(PixelPrecision, AddsUpOverImages) {
  PixelPrecision one, two;
  one.add(at::tensor({1.0F}).view({1, 1}), at::tensor({3}, at::kByte).view({1, 1}), 3);
  two.add(at::tensor({1.0F}).view({1, 1}), at::tensor({1}, at::kByte).view({1, 1}), 3);
  one += two;
  EXPECT_THAT(one.value(), Optional(0.5));
}

// The float next below an edge belongs to the bin below.
TEST(PixelPrecision, EdgesAreHundredths) {
  PixelPrecision precision;
  const float below = std::nextafter(0.25F, 0.0F);
  precision.add(at::tensor({0.25F, below}).view({1, 2}), at::tensor({1, 0}, at::kByte).view({1, 2}));
  EXPECT_THAT(precision.value(), Optional(1.0));
}

TEST(PixelPrecision, OfNothingIsUndefined) {
  PixelPrecision precision;
  EXPECT_THAT(precision.value(), Eq(std::nullopt));
  EXPECT_THROW(precision.add(at::full({1, 1}, 2.0F), at::zeros({1, 1}, at::kByte)), UserError);
  EXPECT_THROW(precision.add(at::zeros({1, 2}), at::zeros({1, 1}, at::kByte)), ContractError);
}

}  // namespace
}  // namespace seedbed::metrics
