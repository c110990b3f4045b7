#include "metrics/calibration.hpp"

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

const at::Tensor kConfidences = at::tensor({0.25F, 0.5F, 0.75F, 1.0F});
const at::Tensor kCorrect = at::tensor({0, 1, 1, 1}, at::kByte).to(at::kBool);

TEST(Calibration, ABinOwnsOneOfItsEnds) {
  Calibration upper(2, BinSide::upper), lower(2, BinSide::lower);
  upper.add(kConfidences, kCorrect);
  lower.add(kConfidences, kCorrect);
  EXPECT_THAT(upper.counts(), ElementsAre(2, 2, 0));
  EXPECT_THAT(lower.counts(), ElementsAre(1, 2, 1));
}

// Bins {0.25, 0.5} and {0.75, 1}: accuracies 0.5 and 1, confidences 0.375 and 0.875.
TEST(Calibration, GapsAreWeightedByTheirBins) {
  Calibration calibration(2, BinSide::upper);
  calibration.add(kConfidences, kCorrect);
  EXPECT_THAT(calibration.expected_error(), Optional(DoubleNear(0.125, 1e-15)));
  EXPECT_THAT(calibration.maximum_error(), Optional(DoubleNear(0.125, 1e-15)));
  EXPECT_THAT(calibration.root_mean_squared_error(), Optional(DoubleNear(0.125, 1e-15)));
  EXPECT_THAT(calibration.accuracy(), Optional(0.75));
  EXPECT_THAT(calibration.mean_confidence(), Optional(0.625));
  EXPECT_DOUBLE_EQ(equal_mass_error(kConfidences, kCorrect, 2), 0.125);
}

// Three and two of five: the first bins are the larger ones.
TEST(Calibration, BinsOfEqualMassDifferByOneAtMost) {
  const at::Tensor confidences = at::tensor({0.8F, 0.1F, 0.9F, 0.2F, 0.3F});
  const at::Tensor correct = at::tensor({1, 0, 1, 0, 1}, at::kInt).to(at::kBool);
  EXPECT_NEAR(equal_mass_error(confidences, correct, 2), (0.4 + 0.3) / 5, 1e-6);
}

TEST(Calibration, OfNothingIsUndefined) {
  const Calibration calibration;
  EXPECT_THAT(calibration.expected_error(), Eq(std::nullopt));
  EXPECT_THAT(calibration.maximum_error(), Eq(std::nullopt));
  EXPECT_THAT(calibration.root_mean_squared_error(), Eq(std::nullopt));
  EXPECT_THAT(calibration.accuracy(), Eq(std::nullopt));
  EXPECT_THAT(calibration.mean_confidence(), Eq(std::nullopt));
}

TEST(Calibration, RefusesWhatIsNoProbability) {
  Calibration calibration;
  EXPECT_THROW(calibration.add(at::tensor({1.5F}), at::ones({1}, at::kBool)), UserError);
  EXPECT_THROW(calibration.add(at::tensor({std::nanf("")}), at::ones({1}, at::kBool)), UserError);
  EXPECT_THROW(calibration.add(kConfidences, at::ones({3}, at::kBool)), ContractError);
  EXPECT_THROW(Calibration(0), UserError);
  EXPECT_THROW(equal_mass_error(at::empty({0}), at::empty({0}, at::kBool)), ContractError);
}

TEST(Probabilities, AreScoredAgainstOneTruth) {
  const at::Tensor probabilities = at::tensor({0.5, 0.5, 0.0, 1.0}, at::kDouble).view({2, 2});
  const at::Tensor labels = at::tensor({0, 0}, at::kLong);
  EXPECT_DOUBLE_EQ(brier_score(probabilities, labels), (0.5 + 2.0) / 2);
  EXPECT_DOUBLE_EQ(negative_log_likelihood(probabilities, labels), (std::log(2.0) - std::log(1e-12)) / 2);
  EXPECT_THROW(brier_score(probabilities, at::tensor({0}, at::kLong)), ContractError);
}

}  // namespace
}  // namespace seedbed::metrics
