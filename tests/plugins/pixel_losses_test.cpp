// Losses of labelled pixels on numbers that can be worked out by hand.
#include <cmath>
#include <limits>
#include <string>

#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include "contract/methods_under_test.hpp"
#include "seedbed/loss.hpp"
#include "support/tensor_matchers.hpp"

namespace seedbed::testing {
namespace {

class PixelLossTest : public ::testing::Test {
 protected:
  // Logits [1,2,1,4] of which the pixels' first label has the probabilities given.
  static at::Tensor logits_of(const std::vector<double>& probabilities) {
    const at::Tensor p = at::tensor(probabilities, at::kDouble);
    return at::stack({p.log(), (1 - p).log()}).view({1, 2, 1, p.numel()}).set_requires_grad(true);
  }

  static at::Tensor labels_of(const std::vector<std::int64_t>& labels) {
    return at::tensor(labels, at::kLong).view({1, 1, static_cast<std::int64_t>(labels.size())});
  }

  std::shared_ptr<Loss> loss(std::string_view id, const ParameterValues& parameters = {}) {
    return make<Loss>(MethodKind::loss, id, contract_context(run_, 1, false), parameters);
  }

  double value(std::string_view id, const at::Tensor& logits, const at::Tensor& labels,
               const ParameterValues& parameters = {}) {
    request_.logits = logits;
    request_.target_nhw = labels;
    request_.run = &run_;
    return loss(id, parameters)->compute(request_).item<double>();
  }

  // The gradient of the loss against differences, in float64.
  void expect_gradient(std::string_view id, const ParameterValues& parameters) {
    SCOPED_TRACE(id);
    const auto method = make<Loss>(MethodKind::loss, id, contract_context(run_, 3, false), parameters);
    LossRequest request = request_;
    request.logits =
        contract_images(8, 5, 6).view({2, 12, 5, 6}).slice(1, 0, 4).to(at::kDouble).clone().set_requires_grad(true);
    request.target_nhw = at::arange(60, at::kLong).floor_divide(3).remainder(4).view({2, 5, 6}).clone();
    request.target_nhw.select(1, 0).fill_(kIgnoreLabel);
    request.run = &run_;
    method->compute(request).backward();
    const at::Tensor gradient = request.logits.grad().flatten();
    EXPECT_GT(gradient.abs().max().item<double>(), 1e-6);
    for (std::int64_t i = 0; i < gradient.numel(); i += 11) {
      const auto at = [&](double offset) {
        LossRequest moved = request;
        moved.logits = request.logits.detach().clone();
        moved.logits.view(-1)[i] += offset;
        return method->compute(moved).item<double>();
      };
      EXPECT_NEAR(gradient[i].item<double>(), (at(1e-6) - at(-1e-6)) / 2e-6, 1e-8) << i;
    }
  }

  FakeRun run_;
  LossRequest request_;
};

const double kHalf = std::log(2.0), kQuarter = std::log(4.0), kTenth = std::log(10.0);

TEST_F(PixelLossTest, ClassWeightsWeighPixelsAndDivideByTheirSum) {
  const at::Tensor logits = logits_of({0.5, 0.25, 0.5, 0.5});
  const at::Tensor labels = labels_of({0, 0, 1, kIgnoreLabel});
  const ParameterValues weights{{"class_weights", std::vector<double>{3.0, 1.0}}};
  EXPECT_NEAR(value("cross_entropy", logits, labels, weights), (3 * kHalf + 3 * kQuarter + kHalf) / 7, 1e-12);
  const ParameterValues only_absent{{"class_weights", std::vector<double>{0.0, 1.0}}};
  EXPECT_EQ(value("cross_entropy", logits, labels_of({0, 0, 0, kIgnoreLabel}), only_absent), 0.0);
}

TEST_F(PixelLossTest, BalanceIsTheMeanOfMeans) {
  const at::Tensor logits = logits_of({0.5, 0.25, 0.5, 0.1});
  const at::Tensor labels = labels_of({0, 0, 1, kUndecidedLabel});
  const double expected = ((kHalf + kQuarter) / 2 + kHalf) / 2;
  for (const char* balance : {"classes", "halves"}) {
    EXPECT_NEAR(value("cross_entropy", logits, labels, {{"balance", std::string(balance)}}), expected, 1e-12);
  }
}

TEST_F(PixelLossTest, ALabelThatIsNowhereCountsAmongClassesButNotAmongHalves) {
  const at::Tensor logits = logits_of({0.5, 0.5}), labels = labels_of({0, 0});
  EXPECT_NEAR(value("cross_entropy", logits, labels, {{"balance", std::string("classes")}}), kHalf, 1e-12);
  EXPECT_NEAR(value("cross_entropy", logits, labels, {{"balance", std::string("halves")}}), kHalf / 2, 1e-12);
}

TEST_F(PixelLossTest, SmoothingSpreadsTheLabel) {
  const double expected = 0.8 * kTenth + 0.1 * (kTenth - std::log(0.9));
  EXPECT_NEAR(value("cross_entropy", logits_of({0.1}), labels_of({0}), {{"label_smoothing", 0.2}}), expected, 1e-12);
}

TEST_F(PixelLossTest, PixelWeightsMultiplyWhatIsAveragedOverPixels) {
  request_.pixel_weights_nhw = at::tensor({0.5f, 1.0f, 7.0f}).view({1, 1, 3});
  const at::Tensor logits = logits_of({0.5, 0.25, 0.5}), labels = labels_of({0, 0, kIgnoreLabel});
  EXPECT_NEAR(value("cross_entropy", logits, labels), (0.5 * kHalf + kQuarter) / 2, 1e-12);
  EXPECT_NEAR(value("ohem_cross_entropy", logits, labels), (0.5 * kHalf + kQuarter) / 2, 1e-12);
  EXPECT_NEAR(value("focal", logits, labels, {{"gamma", 0.0}}), (0.5 * kHalf + kQuarter) / 2, 1e-12);
}

TEST_F(PixelLossTest, AnInfiniteLossOfAPixelThatDoesNotCountIsNone) {
  const double inf = std::numeric_limits<double>::infinity();
  const at::Tensor logits = at::tensor({0.0, -inf, 0.0, 0.0}, at::kDouble).view({1, 2, 1, 2}).set_requires_grad(true);
  EXPECT_NEAR(value("cross_entropy", logits, labels_of({0, kIgnoreLabel})), kHalf, 1e-12);
}

TEST_F(PixelLossTest, HardPixelsAreThoseOfALowProbabilityAndAtLeastSoMany) {
  const at::Tensor logits = logits_of({0.9, 0.5, 0.25, 0.1});
  const at::Tensor labels = labels_of({0, 0, 0, kIgnoreLabel});
  const auto ohem = [&](double probability, std::int64_t at_least) {
    return value("ohem_cross_entropy", logits, labels, {{"probability", probability}, {"keep_at_least", at_least}});
  };
  EXPECT_NEAR(ohem(0.3, 0), kQuarter, 1e-12);
  EXPECT_NEAR(ohem(0.3, 2), (kQuarter + kHalf) / 2, 1e-12);
  EXPECT_NEAR(ohem(0.3, 100), (kQuarter + kHalf - std::log(0.9)) / 3, 1e-12);
  EXPECT_EQ(ohem(0.01, 0), 0.0);
}

TEST_F(PixelLossTest, BootstrapsTheShareWithTheLargestLoss) {
  const at::Tensor logits = logits_of({0.9, 0.5, 0.25, 0.1});
  const at::Tensor labels = labels_of({0, 0, 0, kIgnoreLabel});
  EXPECT_NEAR(value("bootstrapped_cross_entropy", logits, labels, {{"share", 0.7}}), (kQuarter + kHalf) / 2, 1e-12);
  EXPECT_NEAR(value("bootstrapped_cross_entropy", logits, labels, {{"share", 0.0}}), kQuarter, 1e-12);
}

TEST_F(PixelLossTest, ConfidenceWeighsOrChoosesPixels) {
  request_.companions["confidence"] = at::tensor({0.5f, 1.0f, 0.9f, 1.0f}).view({1, 1, 1, 4});
  const at::Tensor logits = logits_of({0.5, 0.25, 0.5, 0.1});
  const at::Tensor labels = labels_of({0, 0, 1, kIgnoreLabel});
  const auto weighted = [&](const ParameterValues& parameters) {
    return value("confidence_weighted_cross_entropy", logits, labels, parameters);
  };
  EXPECT_NEAR(weighted({}), (0.5 * kHalf + kQuarter + 0.9 * kHalf) / 3, 1e-7);
  EXPECT_NEAR(weighted({{"power", 2.0}}), (0.25 * kHalf + kQuarter + 0.81 * kHalf) / 3, 1e-7);
  EXPECT_NEAR(weighted({{"normalise", std::string("weights")}}), (0.5 * kHalf + kQuarter + 0.9 * kHalf) / 2.4, 1e-7);
  EXPECT_NEAR(weighted({{"rule", std::string("ignore_below")}}), kQuarter, 1e-12);
}

TEST_F(PixelLossTest, DiceCountsOverlapBeforeSizes) {
  const at::Tensor logits = logits_of({0.5, 0.5}), labels = labels_of({0, 1});
  const ParameterValues plain{{"smooth", 1e-6}};
  EXPECT_NEAR(value("dice", logits, labels, plain), 0.5, 1e-5);
  EXPECT_NEAR(value("dice", logits, labels, {{"smooth", 1e-6}, {"squared", true}}), 1 - 1.0 / 1.5, 1e-5);
  const at::Tensor sure = logits_of({0.9, 0.8});
  EXPECT_NEAR(value("dice", sure, labels, {{"smooth", 1e-6}, {"with_background", false}}), 1 - 2 * 0.2 / 1.3, 1e-5);
}

TEST_F(PixelLossTest, DiceOfImagesIsTheMeanOfTheirOwn) {
  const at::Tensor logits = at::cat({logits_of({0.9, 0.8}), logits_of({0.3, 0.4})}).detach();
  const at::Tensor labels = at::cat({labels_of({0, 1}), labels_of({1, 1})});
  const ParameterValues each{{"per_image", true}};
  const double mean = (value("dice", logits.narrow(0, 0, 1), labels.narrow(0, 0, 1)) +
                       value("dice", logits.narrow(0, 1, 1), labels.narrow(0, 1, 1))) /
                      2;
  EXPECT_NEAR(value("dice", logits, labels, each), mean, 1e-12);
  EXPECT_GT(std::abs(value("dice", logits, labels) - mean), 1e-3);
}

TEST_F(PixelLossTest, AWindowOfOneIsCrossEntropy) {
  const at::Tensor logits = contract_images(2, 7, 8).slice(1, 0, 2).to(at::kDouble);
  const at::Tensor labels = at::arange(112, at::kLong).remainder(2).view({2, 7, 8});
  for (const char* merge : {"softmax", "logits"}) {
    const ParameterValues one{{"window", std::int64_t{1}}, {"exponent", 1.0}, {"merge", std::string(merge)}};
    EXPECT_NEAR(value("locally_adaptive", logits, labels, one), value("cross_entropy", logits, labels), 1e-12);
  }
}

TEST_F(PixelLossTest, WindowsMergePixelsOfTheirCentresLabel) {
  // Centres at 0 and 2 (stride 2): 0 sees 0 and 1, 2 sees itself alone; the weight of a neighbour is exp(-1/2).
  const at::Tensor logits = logits_of({0.5, 0.25, 0.5, 0.5});
  const at::Tensor labels = labels_of({0, 0, 1, kIgnoreLabel});
  const double near = std::exp(-0.5), merged = (0.5 + near * 0.25) / (1 + near);
  const ParameterValues mean{{"stride", std::int64_t{2}}, {"exponent", 1.0}};
  EXPECT_NEAR(value("locally_adaptive", logits, labels, mean), (-std::log(merged) + kHalf) / 2, 1e-12);
  const ParameterValues cubic{{"stride", std::int64_t{2}}, {"exponent", 3.0}};
  const double expected = std::cbrt((std::pow(-std::log(merged), 3) + std::pow(kHalf, 3)) / 2);
  EXPECT_NEAR(value("locally_adaptive", logits, labels, cubic), expected, 1e-12);
}

TEST_F(PixelLossTest, RefusesWhatItCannotUse) {
  const auto refuses = [&](std::string_view id, const ParameterValues& parameters) {
    EXPECT_THROW(loss(id, parameters), UserError) << id;
  };
  refuses("cross_entropy", {{"class_weights", std::vector<double>{1.0, 1.0, 1.0}}});
  refuses("cross_entropy", {{"class_weights", std::vector<double>{0.0, 0.0}}});
  refuses("cross_entropy", {{"class_weights", std::vector<double>{1.0, 1.0}}, {"balance", std::string("halves")}});
  refuses("locally_adaptive", {{"window", std::int64_t{4}}});
  EXPECT_THROW(value("cross_entropy", logits_of({0.5}), labels_of({2})), UserError);
  EXPECT_THROW(value("dice", logits_of({0.5}), labels_of({-1})), UserError);
}

TEST_F(PixelLossTest, GradientsAreThoseOfTheValues) {
  request_.companions["confidence"] = at::linspace(0.2, 1, 60, at::kDouble).view({2, 1, 5, 6});
  request_.pixel_weights_nhw = at::linspace(1, 0.1, 60, at::kDouble).view({2, 5, 6});
  const std::vector<double> weights{0.5, 1.0, 2.0, 3.0};
  expect_gradient("cross_entropy", {});
  expect_gradient("cross_entropy", {{"class_weights", weights}, {"label_smoothing", 0.2}});
  expect_gradient("cross_entropy", {{"balance", std::string("classes")}});
  expect_gradient("cross_entropy", {{"balance", std::string("halves")}, {"count_epsilon", 1e-6}});
  expect_gradient("ohem_cross_entropy", {{"probability", 0.3}, {"keep_at_least", std::int64_t{5}}});
  expect_gradient("bootstrapped_cross_entropy", {});
  expect_gradient("confidence_weighted_cross_entropy", {});
  expect_gradient("focal", {{"gamma", 1.5}});
  expect_gradient("focal", {{"form", std::string("sigmoid")}});
  expect_gradient("dice", {});
  expect_gradient("dice", {{"per_image", true}, {"squared", true}});
  expect_gradient("locally_adaptive", {});
  expect_gradient("locally_adaptive", {{"merge", std::string("logits")}, {"stride", std::int64_t{2}}});
}

}  // namespace
}  // namespace seedbed::testing
