#include "seedbed/kernels/position_table.hpp"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "seedbed/error.hpp"
#include "support/formula_tensors.hpp"
#include "support/tensor_matchers.hpp"

namespace seedbed::kernels {
namespace {

using testing::all_close;
using testing::equals_tensor;
using testing::formula_input;
using testing::has_shape;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

at::Tensor table(std::int64_t side = 14, std::int64_t prefix = 1) {
  return formula_input("table", {1, prefix + side * side, 8});
}

at::Tensor fitted(const std::string& rule, std::int64_t height, std::int64_t width) {
  return resample_position_table(table(), 1, height, width, position_rule_from(rule));
}

TEST(PositionTable, KeepsTheRowsOfTokensWithoutCells) {
  for (const std::string& name : position_rule_names()) {
    const at::Tensor result = resample_position_table(table(14, 3), 3, 7, 20, position_rule_from(name));
    EXPECT_THAT(result, has_shape({1, 3 + 7 * 20, 8})) << name;
    const double rounding = name == "clip_es" ? 5e-4 : 0;
    EXPECT_THAT(result.slice(1, 0, 3), all_close(table(14, 3).slice(1, 0, 3), rounding)) << name;
  }
  EXPECT_THAT(resample_position_table(table(14, 0), 0, 5, 5, PositionRule::toco), has_shape({1, 25, 8}));
}

TEST(PositionTable, IsItselfOnTheNativeGrid) {
  for (const std::string& name : position_rule_names()) {
    if (name == "clip_es") continue;
    EXPECT_THAT(fitted(name, 14, 14), all_close(table(), 1e-6)) << name;
  }
  EXPECT_THAT(fitted("clip_es", 14, 14), equals_tensor(table().to(at::kHalf).to(at::kFloat)));
}

TEST(PositionTable, IsLeftAloneByCountOrByGrid) {
  for (const char* name : {"sclip", "open_clip"}) EXPECT_THAT(fitted(name, 7, 28), equals_tensor(table())) << name;
  for (const char* name : {"timm", "timm_no_antialias", "dino", "mctformer", "toco", "bilinear", "clip_es"}) {
    EXPECT_FALSE(at::allclose(fitted(name, 7, 28), table(), 0, 1e-3)) << name;
  }
}

TEST(PositionTable, HasRulesThatDiffer) {
  const std::vector<std::string> distinct{"timm", "timm_no_antialias", "dino", "bilinear", "clip_es"};
  for (const std::string& one : distinct) {
    for (const std::string& other : distinct) {
      EXPECT_EQ(at::equal(fitted(one, 9, 20), fitted(other, 9, 20)), one == other) << one << " " << other;
    }
  }
  EXPECT_THAT(fitted("sclip", 9, 20), equals_tensor(fitted("dino", 9, 20)));
  EXPECT_THAT(fitted("open_clip", 9, 20), equals_tensor(fitted("timm", 9, 20)));
  EXPECT_THAT(fitted("mctformer", 9, 20), all_close(fitted("toco", 9, 20), 1e-6));
  EXPECT_THAT(fitted("toco", 9, 20), equals_tensor(fitted("timm_no_antialias", 9, 20)));
}

// 14 * (61 / 14.0) is a little less than 61: the reference of MCTformer stops there.
TEST(PositionTable, SaysWhereThePlainRatioFallsShort) {
  EXPECT_THAT([] { fitted("mctformer", 61, 14); }, ThrowsMessage<UserError>(HasSubstr("`61`")));
  EXPECT_THAT(fitted("dino", 61, 14), has_shape({1, 1 + 61 * 14, 8}));
}

TEST(PositionTable, HasGradients) {
  const at::Tensor learned = table().set_requires_grad(true);
  resample_position_table(learned, 1, 20, 9, PositionRule::timm).sum().backward();
  EXPECT_TRUE(learned.grad().isfinite().all().item<bool>());
}

TEST(PositionTable, RefusesWhatItCannotRead) {
  EXPECT_THAT([] { position_rule_from("tocco"); }, ThrowsMessage<UserError>(HasSubstr("`tocco`")));
  EXPECT_THAT(
      [] {
        resample_position_table(at::zeros({1, 8, 2}), 1, 3, 3, PositionRule::timm);
      },
      ThrowsMessage<ContractError>(HasSubstr("`7`")));
  EXPECT_THAT([] { fitted("timm", 0, 3); }, ThrowsMessage<ContractError>(HasSubstr("`0 x 3`")));
}

}  // namespace
}  // namespace seedbed::kernels
