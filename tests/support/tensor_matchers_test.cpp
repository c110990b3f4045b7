#include "support/tensor_matchers.hpp"

#include <limits>
#include <string>

#include <ATen/ATen.h>
#include <gtest/gtest.h>

namespace seedbed::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

std::string explanation(const ::testing::Matcher<const at::Tensor&>& matcher, const at::Tensor& actual) {
  ::testing::StringMatchResultListener listener;
  EXPECT_FALSE(matcher.MatchAndExplain(actual, &listener));
  return listener.str();
}

TEST(AllClose, AcceptsWithinTheTolerance) {
  const at::Tensor expected = at::tensor({100.0f, -1.0f});
  EXPECT_THAT(at::tensor({101.0f, -1.0f}), all_close(expected, 0.0, 0.02));
  EXPECT_THAT(at::tensor({100.5f, -1.5f}), all_close(expected, 0.5));
  EXPECT_THAT(at::tensor({100.6f, -1.0f}), Not(all_close(expected, 0.5)));
}

TEST(AllClose, NamesTheWorstElementAndBothValues) {
  at::Tensor actual = at::zeros({2, 3, 4});
  actual[0][1][1] = 0.25;
  actual[1][2][3] = -2.0;
  const std::string text = explanation(all_close(at::zeros({2, 3, 4}), 0.1), actual);
  EXPECT_THAT(text, HasSubstr("2 of 24 elements differ"));
  EXPECT_THAT(text, HasSubstr("worst at [1, 2, 3]: -2 instead of 0"));
}

TEST(AllClose, ComparesShapeAndType) {
  EXPECT_THAT(explanation(all_close(at::zeros({2, 3}), 1), at::zeros({3, 2})), HasSubstr("Float [3, 2]"));
  EXPECT_THAT(explanation(all_close(at::zeros({2}), 1), at::zeros({2}, at::kLong)), HasSubstr("Long [2]"));
  EXPECT_THAT(explanation(all_close(at::zeros({2}), 1), at::Tensor()), HasSubstr("undefined"));
  EXPECT_THAT(at::Tensor(), all_close(at::Tensor(), 0));
}

TEST(AllClose, TakesNanForNanAlone) {
  const at::Tensor expected = at::tensor({kNan, 1.0f, kInfinity});
  EXPECT_THAT(at::tensor({kNan, 1.0f, kInfinity}), all_close(expected, 0.1));
  EXPECT_THAT(explanation(all_close(expected, 0.1), at::tensor({kNan, kNan, kInfinity})), HasSubstr("worst at [1]"));
  EXPECT_THAT(explanation(all_close(expected, 0.1), at::tensor({0.0f, 1.0f, kInfinity})), HasSubstr("worst at [0]"));
  EXPECT_THAT(explanation(all_close(expected, 0.1), at::tensor({kNan, 1.0f, -kInfinity})), HasSubstr("worst at [2]"));
}

TEST(AllClose, AcceptsNothingAsEqualToNothing) {
  EXPECT_THAT(at::zeros({0, 3}), all_close(at::zeros({0, 3}), 0));
  EXPECT_THAT(at::zeros({0, 3}), Not(all_close(at::zeros({0, 2}), 0)));
}

TEST(EqualsTensor, ComparesEveryElement) {
  EXPECT_THAT(at::tensor({1, 2}), equals_tensor(at::tensor({1, 2})));
  EXPECT_THAT(explanation(equals_tensor(at::tensor({1, 2})), at::tensor({1, 3})),
              HasSubstr("worst at [1]: 3 instead of 2"));
}

TEST(HasShape, ComparesSizes) {
  EXPECT_THAT(at::zeros({2, 1}), has_shape({2, 1}));
  EXPECT_THAT(at::zeros({2, 1}), Not(has_shape({2})));
}

TEST(PrintTo, PrintsShapeAndTypeOnly) { EXPECT_EQ(::testing::PrintToString(at::zeros({2, 3})), "Float [2, 3]"); }

}  // namespace
}  // namespace seedbed::testing
