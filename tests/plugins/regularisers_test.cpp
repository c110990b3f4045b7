// Dense energy, gated CRF, affinity and boundaries beyond their goldens.
#include <cmath>
#include <string>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <gmock/gmock.h>

#include "boundary_targets.hpp"
#include "contract/methods_under_test.hpp"
#include "gated_crf.hpp"
#include "seedbed/kernels/dense_energy.hpp"
#include "seedbed/kernels/label_affinity.hpp"
#include "seedbed/loss.hpp"
#include "support/tensor_matchers.hpp"
#include "valid_region.hpp"

namespace seedbed::testing {
namespace {

at::Tensor probabilities(std::int64_t n, std::int64_t height, std::int64_t width) {
  return (contract_images(n, height, width) * 2).softmax(1);
}

at::Tensor colours(std::int64_t n, std::int64_t height, std::int64_t width) {
  return (contract_images(n, height, width).flip(3) + 1) / 2;
}

// --- dense energy

class DenseEnergyTest : public ::testing::Test {
 protected:
  DenseEnergyTest() {
    input_.images_nhwc = contract_images_raw(2, 12, 16);
    input_.probabilities_nkhw = probabilities(2, 12, 16);
  }
  double value(const kernels::DenseEnergy& energy) const {
    return kernels::dense_energy(input_, energy).item<double>();
  }

  kernels::DenseEnergyInput input_;
  kernels::DenseEnergy exact_{.weight = 1e-3, .sigma_rgb = 30, .sigma_xy = 8, .gate = false, .exact = true};
};

TEST_F(DenseEnergyTest, WithoutAGateTheGradientIsThatOfTheValue) {
  input_.probabilities_nkhw.set_requires_grad(true);
  kernels::dense_energy(input_, exact_).backward();
  const at::Tensor gradient = input_.probabilities_nkhw.grad().flatten();
  const c10::NoGradGuard no_grad;
  at::Tensor values = input_.probabilities_nkhw.view(-1);
  for (std::int64_t i = 0; i < gradient.numel(); i += 97) {
    const auto at = [&](double offset) {
      values[i] += offset;
      const double energy = value(exact_);
      values[i] -= offset;
      return energy;
    };
    const double difference = (at(0.05) - at(-0.05)) / 0.1;
    EXPECT_NEAR(gradient[i].item<double>(), difference, 1e-3 * std::abs(difference) + 1e-5) << i;
  }
}

TEST_F(DenseEnergyTest, IsThePlainDoubleSum) {
  kernels::DenseEnergy energy = exact_;
  energy.scale = 1.0;
  const at::Tensor s = input_.probabilities_nkhw.flatten(2).to(at::kDouble);
  const at::Tensor y = at::arange(12, at::kDouble).repeat_interleave(16), x = at::arange(16, at::kDouble).repeat(12);
  double sum = 0;
  for (std::int64_t n = 0; n < 2; ++n) {
    const at::Tensor rgb = input_.images_nhwc[n].flatten(0, 1).to(at::kDouble);
    const auto apart = [](const at::Tensor& a) { return (a.unsqueeze(1) - a).square(); };
    const at::Tensor squares = (apart(y) + apart(x)) / 64 + (rgb.unsqueeze(1) - rgb).square().sum(2) / 900;
    sum += (at::matmul(s[n].t(), s[n]) * (-0.5 * squares).exp()).sum().item<double>();
  }
  EXPECT_NEAR(value(energy), -1e-3 / 2 * sum, 1e-4 * sum * 1e-3);
}

TEST_F(DenseEnergyTest, TheGateWeakensSurePixelsAndIsOpenWithoutALabel) {
  kernels::DenseEnergy gated = exact_;
  gated.gate = true;
  const double open = value(exact_), labelled = value(gated);
  EXPECT_GT(labelled, 0.9 * open);  // both negative: the gate takes some of it away
  input_.labels_nhw = at::full({2, 12, 16}, kIgnoreLabel, at::kLong);
  EXPECT_NEAR(value(gated), open, 1e-6 * std::abs(open));
  input_.labels_nhw.fill_(kUndecidedLabel);
  EXPECT_NEAR(value(gated), open, 1e-6 * std::abs(open));
  input_.labels_nhw.zero_();
  EXPECT_EQ(value(gated), labelled);
}

TEST_F(DenseEnergyTest, PaddingAttractsNothing) {
  input_.region_nhw = at::zeros({2, 12, 16});
  EXPECT_EQ(value(exact_), 0.0);
  input_.region_nhw.fill_(1);
  const double whole = value(exact_);
  input_.region_nhw.reset();
  EXPECT_EQ(value(exact_), whole);
}

TEST_F(DenseEnergyTest, RefusesOtherSizes) {
  input_.labels_nhw = at::zeros({2, 12, 15}, at::kLong);
  EXPECT_THROW(value(exact_), ContractError);
  input_.labels_nhw.reset();
  input_.images_nhwc = contract_images_raw(2, 6, 8);
  EXPECT_THROW(value(exact_), ContractError);
}

// --- gated CRF

TEST(GatedCrfTest, HasTheGradientOfItsValue) {
  const at::Tensor rgb = colours(2, 5, 6).to(at::kDouble);
  const at::Tensor source = at::arange(60, at::kDouble).remainder(3).div(2).view({2, 5, 6});
  const at::Tensor destination = at::arange(60, at::kDouble).remainder(4).div(3).view({2, 5, 6});
  const crf_losses::GatedCrf crf{.kernels = {{0.7, 2.0, 0.2}, {0.3, 3.0, 0.0}}, .radius = 2};
  for (const bool masked : {false, true}) {
    const at::Tensor y = probabilities(2, 5, 6).to(at::kDouble);
    const auto value = [&](const at::Tensor& p) {
      return masked ? crf_losses::gated_crf(p, rgb, source, destination, crf)
                    : crf_losses::gated_crf(p, rgb, {}, {}, crf);
    };
    const at::Tensor leaf = y.clone().set_requires_grad(true);
    value(leaf).backward();
    const at::Tensor gradient = leaf.grad().flatten();
    for (std::int64_t i = 0; i < gradient.numel(); i += 7) {
      const auto at = [&](double offset) {
        at::Tensor moved = y.clone();
        moved.view(-1)[i] += offset;
        return value(moved).item<double>();
      };
      EXPECT_NEAR(gradient[i].item<double>(), (at(1e-4) - at(-1e-4)) / 2e-4, 1e-7) << i;
    }
  }
}

TEST(GatedCrfTest, CellsOfOneMindCostNothing) {
  const at::Tensor y = at::zeros({1, 2, 4, 4});
  y.select(1, 0).fill_(1);
  const crf_losses::GatedCrf crf{.kernels = {{1.0, 2.0, 0.1}}, .radius = 9, .counts_border_as_released = false};
  EXPECT_NEAR(crf_losses::gated_crf(y, colours(1, 4, 4), {}, {}, crf).item<double>(), 0.0, 1e-6);
  // Two cells that disagree, one pair each way, over two destinations.
  const at::Tensor two = at::tensor({1.f, 0.f, 0.f, 1.f}).view({1, 2, 1, 2});
  EXPECT_NEAR(crf_losses::gated_crf(two, at::zeros({1, 3, 1, 2}), {}, {}, crf).item<double>(), std::exp(-0.125), 1e-6);
  EXPECT_EQ(crf_losses::gated_crf(two, at::zeros({1, 3, 1, 2}), {}, at::zeros({1, 1, 2}), crf).item<double>(), 0.0);
}

class CrfLossTest : public ::testing::Test {
 protected:
  CrfLossTest() {
    request_.logits = contract_images(2, 8, 10).clone().set_requires_grad(true);
    request_.target_nhw = at::arange(2 * 16 * 20, at::kLong).remainder(3).view({2, 16, 20});
    request_.target_nhw.slice(1, 8).fill_(kIgnoreLabel);
    request_.images_raw_nhwc = contract_images_raw(2, 16, 20);
    request_.valid.boxes_n4 = at::tensor({0, 0, 16, 10}, at::kLong).expand({2, 4});
  }
  double value(std::string_view id, const ParameterValues& parameters = {}) {
    return make<Loss>(MethodKind::loss, id, contract_context(run_, 2), parameters)->compute(request_).item<double>();
  }
  FakeRun run_;
  LossRequest request_;
};

TEST_F(CrfLossTest, MasksSayWhoTakesPart) {
  const auto masked = [&](const std::string& source, const std::string& destination) {
    return value("gated_crf", {{"source", source}, {"destination", destination}, {"border", std::string("none")}});
  };
  const double all = masked("all", "all"), valid = masked("valid", "valid"), open = masked("all", "unlabelled");
  EXPECT_GT(std::abs(all - valid), 1e-3);
  EXPECT_GT(std::abs(all - open), 1e-3);
  request_.valid.boxes_n4.reset();
  EXPECT_EQ(masked("valid", "valid"), all);
  request_.target_nhw.fill_(kUndecidedLabel);
  EXPECT_NEAR(masked("all", "unlabelled"), all, 1e-6);
}

TEST_F(CrfLossTest, ValidBoxesAreARegion) {
  EXPECT_FALSE(crf_losses::valid_region({}, 3, 4).defined());
  const at::Tensor region = crf_losses::valid_region({at::tensor({1, 0, 3, 2}, at::kLong).view({1, 4})}, 3, 4);
  EXPECT_THAT(region[0],
              equals_tensor(at::tensor({0.f, 0.f, 0.f, 0.f, 1.f, 1.f, 0.f, 0.f, 1.f, 1.f, 0.f, 0.f}).view({3, 4})));
}

TEST_F(CrfLossTest, TheEnergyIsNegativeAndProportionalToItsWeight) {
  const double energy = value("dense_energy", {{"energy_weight", 1e-4}});
  EXPECT_LT(energy, 0.0);
  EXPECT_NEAR(value("dense_energy", {{"energy_weight", 2e-4}}), 2 * energy, 1e-6 * std::abs(energy));
}

TEST_F(CrfLossTest, RefusesKernelsThatDoNotFit) {
  using Numbers = std::vector<double>;
  EXPECT_THROW(value("gated_crf", {{"kernel_weights", Numbers{1.0}}}), UserError);
  EXPECT_THROW(value("gated_crf", {{"kernel_xy", Numbers{6.0, 0.0}}}), UserError);
  EXPECT_THROW(value("gated_crf", {{"kernel_weights", Numbers{}}, {"kernel_xy", Numbers{}}, {"kernel_rgb", Numbers{}}}),
               UserError);
}

// --- affinity

class AffinityTest : public ::testing::Test {
 protected:
  FakeRun run_;
};

TEST_F(AffinityTest, WalkingOffsetsIsTheWholeMatrix) {
  LossRequest request;
  request.logits = contract_images(2, 5, 6).clone().set_requires_grad(true);
  request.target_nhw = at::arange(2 * 5 * 6, at::kLong).floor_divide(4).remainder(3).view({2, 5, 6}).clone();
  request.target_nhw[0][2][3] = kIgnoreLabel;
  request.target_nhw[1][0][0] = kUndecidedLabel;
  for (const bool with_itself : {true, false}) {
    for (const std::int64_t radius : {0, 1, 2, 20}) {
      SCOPED_TRACE(std::to_string(radius) + (with_itself ? " with itself" : ""));
      const auto loss = make<Loss>(MethodKind::loss, "affinity", contract_context(run_, 2),
                                   {{"radius", radius}, {"with_itself", with_itself}});
      const at::Tensor value = loss->compute(request);
      const at::Tensor p = request.logits.softmax(1).flatten(2);
      const at::Tensor whole = kernels::affinity_loss(
          at::matmul(p.transpose(1, 2), p), kernels::affinity_targets(request.target_nhw, {radius, with_itself}));
      EXPECT_THAT(value, all_close(whole, 1e-6));
    }
  }
}

TEST_F(AffinityTest, FeaturesOfOneLabelAreDrawnTogether) {
  LossRequest request;
  request.target_nhw = at::tensor({1, 1, 2}, at::kLong).view({1, 1, 3});
  request.taps["final"] = at::tensor({0.f, 1.f, 3.f}).view({1, 1, 1, 3}).set_requires_grad(true);
  const auto loss = make<Loss>(MethodKind::loss, "affinity", contract_context(run_, 2),
                               {{"of", std::string("features")}, {"with_itself", false}});
  EXPECT_EQ(loss->needs(), (std::vector<std::string>{"target", "tap:final"}));
  // Pairs each way: one of equal labels, two of different ones.
  const double expected = 0.5 * 2 * (1 - std::exp(-1)) / 3 + 0.5 * 2 * (std::exp(-3) + std::exp(-2)) / 5;
  EXPECT_NEAR(loss->compute(request).item<double>(), expected, 1e-6);
  request.taps["final"] = at::zeros({1, 4, 8});
  EXPECT_THROW(loss->compute(request), UserError);
}

// --- boundaries

TEST(BoundaryTargets, LieOnBothSidesOfAnEdgeWithinTheRadius) {
  // Columns: background x4, class 1 x4.
  at::Tensor labels = at::zeros({1, 5, 8}, at::kLong);
  labels.slice(2, 4).fill_(1);
  const at::Tensor targets = boundary::boundary_targets(labels, 2, 2);
  const at::Tensor row = at::tensor({0.f, 0.f, 1.f, 1.f, 1.f, 1.f, 0.f, 0.f});
  for (std::int64_t y = 0; y < 5; ++y) EXPECT_THAT(targets[0][0][y], equals_tensor(row));
  EXPECT_EQ(targets[0][1].sum().item<double>(), 0.0);
}

TEST(BoundaryTargets, TwoClassesShareTheirEdgeAndTheUnknownMakesNone) {
  at::Tensor labels = at::ones({1, 3, 7}, at::kLong);
  labels.slice(2, 3).fill_(2);
  labels.slice(2, 5).fill_(kIgnoreLabel);
  const at::Tensor targets = boundary::boundary_targets(labels, 2, 1);
  const at::Tensor row = at::tensor({0.f, 0.f, 1.f, 1.f, 0.f, 0.f, 0.f});
  for (std::int64_t c = 0; c < 2; ++c) EXPECT_THAT(targets[0][c][1], equals_tensor(row));
  const at::Tensor known = at::tensor({1, 1, 1, 1, 1, 0, 0}).to(at::kBool);
  EXPECT_THAT(boundary::known_pixels(labels, 0)[0][1], equals_tensor(known));
  const at::Tensor surely = at::tensor({1, 1, 1, 0, 0, 0, 0}).to(at::kBool);
  EXPECT_THAT(boundary::known_pixels(labels, 2)[0][1], equals_tensor(surely));
}

TEST(BoundaryTargets, ACornerIsRoundedByTheDisc) {
  at::Tensor labels = at::zeros({1, 7, 7}, at::kLong);
  labels[0][3][3] = 1;
  EXPECT_EQ(boundary::boundary_targets(labels, 1, 2)[0][0].sum().item<double>(), 13.0);  // cells of a disc of radius 2
}

TEST(BoundaryLossTest, LearnsWhereBoundariesAre) {
  FakeRun run;
  const ModelContext context = contract_context(run, 2);
  const auto loss =
      make<Loss>(MethodKind::loss, "boundary", context,
                 {{"class_tap", std::string("stage3")}, {"side_taps", std::vector<std::string>{"stage1"}}});
  loss->train(true);
  LossRequest request;
  ForwardRequest pass;
  pass.images_nchw = contract_images(2, 32, 32);
  pass.keep = {"stage1", "stage3"};
  {
    const c10::NoGradGuard no_grad;
    request.taps = context.backbone->forward(pass).taps;
  }
  request.target_nhw = pass.images_nchw.select(1, 0).gt(0).to(at::kLong);
  double first = 0, last = 0;
  for (int i = 0; i < 60; ++i) {
    const at::Tensor value = loss->compute(request);
    last = value.item<double>();
    if (i == 0) first = last;
    value.backward();
    const c10::NoGradGuard no_grad;
    for (auto& [name, parameter] : loss->named_parameters()) {
      at::Tensor moved = parameter;
      moved.sub_(moved.grad(), 0.1);
      moved.mutable_grad().reset();
    }
  }
  EXPECT_LT(last, 0.8 * first);
}

TEST(BoundaryLossTest, RefusesTapsThatAreNone) {
  FakeRun run;
  ModelContext context = contract_context(run, 2);
  const auto made = [&](const ParameterValues& parameters) {
    return make<Loss>(MethodKind::loss, "boundary", context, parameters);
  };
  EXPECT_THROW(made({{"class_tap", std::string("stage99")}}), UserError);
  EXPECT_THROW(made({{"side_taps", std::vector<std::string>{}}}), UserError);
  context.backbone = nullptr;
  EXPECT_THROW(made({}), ContractError);
}

}  // namespace
}  // namespace seedbed::testing
