#include "metrics/pointing.hpp"

#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include "seedbed/error.hpp"

namespace seedbed::metrics {
namespace {

using ::testing::ElementsAre;
using ::testing::Eq;
using ::testing::Optional;

TEST(PointingGame, AsksAtTheFirstLargestValue) {
  const Point point = largest_at(at::tensor({0.1F, 0.7F, 0.7F, 0.2F}).view({2, 2}));
  EXPECT_EQ(point.row, 0);
  EXPECT_EQ(point.column, 1);
  EXPECT_THROW(largest_at(at::empty({0, 3})), ContractError);
  EXPECT_THROW(largest_at(at::zeros({2, 2}, at::kByte)), ContractError);
}

TEST(PointingGame, AHitIsNearerThanTheTolerance) {
  at::Tensor truth = at::zeros({10, 10}, at::kByte);
  truth[4][7] = 5;
  EXPECT_TRUE(points_at(truth, 5, {0, 4}, 5.1));
  EXPECT_FALSE(points_at(truth, 5, {0, 4}, 5));
  EXPECT_TRUE(points_at(truth, 5, {4, 7}, 1));
  EXPECT_FALSE(points_at(truth, 5, {4, 7}, 0));
  EXPECT_FALSE(points_at(truth, 6, {4, 7}, 100));
}

TEST(PointingGame, ThreeMeans) {
  PointingGame game(4);
  game.add(1, true);
  game.add(1, true);
  game.add(1, false);
  game.add(2, false);
  EXPECT_THAT(game.accuracy(), ElementsAre(Eq(std::nullopt), Optional(2.0 / 3), Optional(0.0), Eq(std::nullopt)));
  EXPECT_THAT(game.mean_seen(), Optional(1.0 / 3));
  EXPECT_DOUBLE_EQ(game.mean_all(), 1.0 / 6);
  EXPECT_THAT(game.pooled(), Optional(0.5));
  EXPECT_THAT(PointingGame(3).pooled(), Eq(std::nullopt));
}

TEST(EnergyInside, IsTheShareOfPositiveHeat) {
  const at::Tensor map = at::tensor({-1.0F, 1.0F, 2.0F, 1.0F}).view({1, 4});
  const at::Tensor truth = at::tensor({1, 1, 255, 0}, at::kByte).view({1, 4});
  EXPECT_THAT(energy_inside(map, truth, 1, false), Optional(0.25));
  EXPECT_THAT(energy_inside(map, truth, 1, true), Optional(0.5));
  EXPECT_THAT(energy_inside(-map.abs(), truth, 1, false), Eq(std::nullopt));
  EXPECT_THROW(energy_inside(map, at::zeros({2, 2}, at::kByte), 1, false), ContractError);
}

}  // namespace
}  // namespace seedbed::metrics
