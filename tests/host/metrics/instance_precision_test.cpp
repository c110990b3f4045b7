#include "metrics/instance_precision.hpp"

#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include "seedbed/error.hpp"

namespace seedbed::metrics {
namespace {

using ::testing::DoubleNear;
using ::testing::ElementsAre;
using ::testing::Eq;
using ::testing::Optional;

constexpr int kWidth = 10;

// One row of ten pixels; objects and masks are runs [from, to) of it.
at::Tensor row_of(std::vector<std::tuple<int, int, int>> runs) {
  at::Tensor row = at::zeros({1, kWidth}, at::kByte);
  for (const auto& [from, to, value] : runs) row.slice(1, from, to).fill_(value);
  return row;
}

Instance found(int from, int to, std::int64_t class_id, double score) {
  at::Tensor mask = at::zeros({1, kWidth}, at::kBool);
  mask.slice(1, from, to).fill_(true);
  return {mask, class_id, score};
}

// By hand: hits at ranks 1 and 3, of two objects: (1 + 2/3) / 2.
TEST(InstancePrecision, IntegratesPrecisionOverRecall) {
  InstancePrecision precision(1, {0.5});
  precision.add({found(0, 4, 1, 0.9), found(4, 6, 1, 0.8), found(6, 10, 1, 0.7)}, row_of({{0, 4, 1}, {6, 10, 2}}),
                row_of({{0, 4, 1}, {6, 10, 1}}));
  EXPECT_THAT(precision.average_precision(0), ElementsAre(Optional(DoubleNear(5.0 / 6, 1e-15))));
  EXPECT_EQ(precision.num_objects(), 2);
  EXPECT_EQ(precision.num_found(), 3);
}

// A later hit lifts what came before it: precisions 1/2 and 2/3 become 2/3 twice.
TEST(InstancePrecision, TakesTheUpperEnvelope) {
  InstancePrecision precision(1, {0.5});
  precision.add({found(4, 6, 1, 0.9), found(0, 4, 1, 0.8), found(6, 10, 1, 0.7)}, row_of({{0, 4, 1}, {6, 10, 2}}),
                row_of({{0, 4, 1}, {6, 10, 1}}));
  EXPECT_THAT(precision.average_precision(0), ElementsAre(Optional(DoubleNear(2.0 / 3, 1e-15))));
}

TEST(InstancePrecision, RanksOverAllImages) {
  InstancePrecision precision(1, {0.5});
  precision.add({found(4, 8, 1, 0.6)}, row_of({{0, 4, 1}}), row_of({{0, 4, 1}}));
  precision.add({found(0, 4, 1, 0.9)}, row_of({{0, 4, 1}}), row_of({{0, 4, 1}}));
  EXPECT_THAT(precision.average_precision(0), ElementsAre(Optional(0.5)));
}

TEST(InstancePrecision, GivesAnObjectToOneMaskOnly) {
  InstancePrecision precision(1, {0.5});
  precision.add({found(0, 3, 1, 0.9), found(0, 4, 1, 0.8), found(6, 10, 1, 0.7)}, row_of({{0, 4, 1}, {6, 10, 2}}),
                row_of({{0, 4, 1}, {6, 10, 1}}));
  EXPECT_THAT(precision.average_precision(0), ElementsAre(Optional(DoubleNear(5.0 / 6, 1e-15))));
}

// Three of four pixels are an overlap of 0.75: reached at 0.5 and 0.75, not beyond.
TEST(InstancePrecision, ComparesWithEachOverlap) {
  InstancePrecision precision(1, {0.5, 0.75, 0.76});
  precision.add({found(0, 3, 1, 0.9)}, row_of({{0, 4, 7}}), row_of({{0, 4, 1}}));
  EXPECT_THAT(precision.average_precision(0), ElementsAre(Optional(1.0)));
  EXPECT_THAT(precision.average_precision(1), ElementsAre(Optional(1.0)));
  EXPECT_THAT(precision.average_precision(2), ElementsAre(Optional(0.0)));
  EXPECT_THAT(precision.best_overlap(), ElementsAre(Optional(0.75)));
}

TEST(InstancePrecision, KeepsClassesApart) {
  InstancePrecision precision(3, {0.5});
  precision.add({found(0, 4, 2, 0.9)}, row_of({{0, 4, 1}, {6, 10, 2}}), row_of({{0, 4, 1}, {6, 10, 2}}));
  EXPECT_THAT(precision.average_precision(0), ElementsAre(Optional(0.0), Optional(0.0), Eq(std::nullopt)));
  EXPECT_THAT(precision.best_overlap(), ElementsAre(Optional(0.0), Optional(0.0), Eq(std::nullopt)));
}

TEST(InstancePrecision, CountsNoVoidPixels) {
  InstancePrecision precision(1, {0.9});
  // The border is void in the objects' map, another pixel in the mask alone; the third mask sees nothing else.
  precision.add({found(0, 6, 1, 0.9), found(5, 6, 1, 0.8)}, row_of({{0, 4, 1}, {4, 6, 255}, {6, 7, 2}}),
                row_of({{0, 3, 1}, {3, 6, 255}}));
  EXPECT_THAT(precision.average_precision(0), ElementsAre(Optional(1.0)));
  EXPECT_EQ(precision.num_found(), 1);
  EXPECT_EQ(precision.num_objects(), 1) << "object 2 shows no class";
}

TEST(InstancePrecision, RefusesWhatCannotBe) {
  EXPECT_THROW(InstancePrecision(1, {0.0}), UserError);
  EXPECT_THROW(InstancePrecision(1, {1.5}), UserError);
  InstancePrecision precision(1, {0.5});
  const at::Tensor row = row_of({{0, 4, 1}});
  EXPECT_THROW(precision.add({}, row, at::zeros({2, 5}, at::kByte)), ContractError);
  EXPECT_THROW(precision.add({{at::ones({2, 5}, at::kBool), 1, 0.5}}, row, row), ContractError);
}

}  // namespace
}  // namespace seedbed::metrics
