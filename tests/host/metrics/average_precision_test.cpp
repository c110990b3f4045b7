#include "metrics/average_precision.hpp"

#include <limits>

#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include "seedbed/error.hpp"

namespace seedbed::metrics {
namespace {

using ::testing::DoubleNear;
using ::testing::Optional;

std::optional<double> of_one_class(std::vector<double> scores, std::vector<int> labels,
                                   PrecisionForm form = PrecisionForm::sum, Ties ties = Ties::grouped) {
  return average_precision(at::tensor(scores, at::kDouble).unsqueeze(1), at::tensor(labels, at::kLong).unsqueeze(1),
                           form, ties)
      .at(0);
}

// By hand: hits at ranks 1 and 3 of 4 give precisions 1 and 2/3.
TEST(AveragePrecision, OfAFewImages) {
  EXPECT_THAT(of_one_class({0.9, 0.8, 0.7, 0.1}, {1, 0, 1, 0}), Optional(DoubleNear(5. / 6, 1e-15)));
  EXPECT_THAT(of_one_class({0.1, 0.7, 0.8, 0.9}, {0, 1, 0, 1}), Optional(DoubleNear(5. / 6, 1e-15)));
  EXPECT_THAT(of_one_class({0.9, 0.8}, {1, 1}), Optional(1.0));
  EXPECT_EQ(of_one_class({0.9, 0.8}, {0, 0}), std::nullopt);
}

TEST(AveragePrecision, TiesAreOneStepOrKeepTheirOrder) {
  EXPECT_THAT(of_one_class({0.5, 0.5, 0.5, 0.5}, {1, 0, 0, 1}), Optional(0.5));
  EXPECT_THAT(of_one_class({0.5, 0.5, 0.5, 0.5}, {1, 0, 0, 1}, PrecisionForm::sum, Ties::stable), Optional(0.75));
}

TEST(AveragePrecision, FormsDiffer) {
  const std::vector<double> scores{0.9, 0.8, 0.7, 0.6};
  const std::vector<int> labels{0, 1, 1, 0};
  EXPECT_THAT(of_one_class(scores, labels), Optional(DoubleNear((0.5 + 2. / 3) / 2, 1e-15)));
  EXPECT_THAT(of_one_class(scores, labels, PrecisionForm::all_points), Optional(DoubleNear(2. / 3, 1e-15)));
  EXPECT_THAT(of_one_class(scores, labels, PrecisionForm::eleven_exact), Optional(DoubleNear(2. / 3, 1e-15)));
}

TEST(AveragePrecision, DifficultImagesAreLeftOut) {
  EXPECT_THAT(of_one_class({0.9, 0.8, 0.7}, {-1, 1, 0}), Optional(1.0));
}

TEST(MapMacro, IsTheMeanOverClassesWithPositives) {
  const at::Tensor scores = at::tensor({0.9, 0.1, 0.5, 0.8, 0.9, 0.5}, at::kFloat).view({2, 3});
  const at::Tensor labels = at::tensor({1, 1, 0, 0, 0, 0}, at::kLong).view({2, 3}).ne(0);
  EXPECT_THAT(map_macro(scores, labels), Optional(DoubleNear(0.75, 1e-12)));
  EXPECT_EQ(map_macro(scores, at::zeros({2, 3}, at::kBool)), std::nullopt);
}

TEST(AveragePrecision, RefusesNumbersThatAreNotFinite) {
  EXPECT_THROW(of_one_class({0.9, std::numeric_limits<double>::quiet_NaN()}, {1, 0}), UserError);
  EXPECT_THROW(average_precision(at::zeros({2, 3}), at::zeros({3, 2}, at::kLong)), ContractError);
}

}  // namespace
}  // namespace seedbed::metrics
