// SEC's and DSRG's terms, seeds, growing and strategies beyond their goldens.
#include <cmath>
#include <map>
#include <string>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <gmock/gmock.h>

#include "contract/methods_under_test.hpp"
#include "region_growing.hpp"
#include "seedbed/kernels/crf_layer.hpp"
#include "seedbed/kernels/seed_expand_constrain.hpp"
#include "seedbed/loss.hpp"
#include "seedbed/segmentation_head.hpp"
#include "seedbed/training_strategy.hpp"
#include "support/tensor_matchers.hpp"

namespace seedbed::testing {
namespace {

using namespace kernels;
using ::testing::ElementsAre;
using ::testing::Key;

at::Tensor doubles(const std::vector<double>& values, at::IntArrayRef shape) {
  return at::tensor(values, at::kDouble).view(shape);
}

// The gradient of `term` at random probabilities [2,3,3,4] against differences, in float64.
template <typename Term>
void expect_gradient(const Term& term) {
  const at::Tensor raw = contract_images(4, 3, 4).to(at::kDouble).view({2, 6, 3, 4}).slice(1, 0, 3) * 2;
  const at::Tensor logits = raw.clone().set_requires_grad(true);
  term(with_floor(logits.softmax(1))).backward();
  const at::Tensor gradient = logits.grad().flatten();
  EXPECT_GT(gradient.abs().max().template item<double>(), 1e-6);
  const c10::NoGradGuard no_grad;
  for (std::int64_t i = 0; i < gradient.numel(); i += 5) {
    const auto at = [&](double offset) {
      at::Tensor moved = raw.clone();
      moved.view(-1)[i] += offset;
      return term(with_floor(moved.softmax(1))).template item<double>();
    };
    EXPECT_NEAR(gradient[i].template item<double>(), (at(1e-6) - at(-1e-6)) / 2e-6, 1e-8) << i;
  }
}

TEST(SeedingTerms, HaveTheGradientsOfTheirValues) {
  const at::Tensor cues = at::arange(72, at::kLong).remainder(5).eq(0).to(at::kDouble).view({2, 3, 3, 4});
  const at::Tensor present = at::tensor({1, 0, 1, 1}).view({2, 2}).to(at::kBool);
  const at::Tensor smoothed = contract_images(2, 3, 4).to(at::kDouble).softmax(1);
  for (const auto balance : {SeedBalance::none, SeedBalance::background_foreground}) {
    expect_gradient([&](const at::Tensor& p) { return seed_loss(p, cues, balance); });
  }
  expect_gradient([&](const at::Tensor& p) { return expand_loss(p, present); });
  expect_gradient([&](const at::Tensor& p) { return expand_loss(p, present, {0.9, 0.8, 0.5}); });
  expect_gradient([&](const at::Tensor& p) { return constrain_loss(p, smoothed); });
  expect_gradient([&](const at::Tensor& p) { return constrain_loss(p, smoothed, std::pair{0.5, 2.0}); });
}

// The specification's numbers (notes 7.1): of .9, .1, .4, .2 with q 0, .5 and 1.
TEST(SeedingTerms, ExpandWeighsByRank) {
  const at::Tensor background = doubles({0.1, 0.1, 0.1, 0.1}, {1, 1, 2, 2});
  const at::Tensor p = at::cat({background, doubles({0.9, 0.1, 0.4, 0.2}, {1, 1, 2, 2})}, 1);
  const at::Tensor present = at::ones({1, 1}, at::kBool), absent = at::zeros({1, 1}, at::kBool);
  const double of_background = -std::log(0.1);
  for (const auto& [q, mean] : std::map<double, double>{{0.0, 0.9}, {0.5, 0.62}, {1.0, 0.4}}) {
    EXPECT_NEAR(expand_loss(p, present, {q, 1.0, 0.0}).item<double>(), -std::log(mean) + of_background, 1e-9) << q;
    EXPECT_NEAR(expand_loss(p, absent, {0.0, 1.0, q}).item<double>(), -std::log(1 - mean) + of_background, 1e-9) << q;
  }
}

TEST(SeedingTerms, AnImageWithoutSeedsCountsNothing) {
  const at::Tensor p = at::full({2, 3, 2, 2}, 1.0 / 3, at::kDouble);
  at::Tensor cues = at::zeros({2, 3, 2, 2}, at::kDouble);
  for (const auto balance : {SeedBalance::none, SeedBalance::background_foreground}) {
    EXPECT_EQ(seed_loss(p, cues, balance).item<double>(), 0.0);
  }
  cues[0][1][0][0] = 1;
  EXPECT_NEAR(seed_loss(p, cues).item<double>(), std::log(3.0) / 2, 1e-12);
}

TEST(SeedingTerms, TheCrfHandsBackWhatTheReleaseDoes) {
  const at::Tensor source = doubles({0.2, 0.8}, {1, 2, 1, 1}).set_requires_grad(true);
  const at::Tensor smoothed = doubles({0.25, 0.75}, {1, 2, 1, 1});
  const at::Tensor joined = with_crf_gradient(smoothed, source);
  EXPECT_THAT(joined.detach(), all_close(smoothed, 1e-15));
  (joined * doubles({3, 5}, {1, 2, 1, 1})).sum().backward();
  EXPECT_THAT(source.grad(), all_close(doubles({3 * 0.75, 5 * 0.25}, {1, 2, 1, 1}), 1e-12));
}

TEST(Cues, OfMapsFollowTheRule) {
  // Class 1 is present with its maximum 1 in a corner, class 2 is absent.
  at::Tensor maps = at::zeros({1, 2, 6, 6});
  maps[0][0].slice(0, 0, 3).slice(1, 0, 3).fill_(0.5);
  maps[0][0][0][0] = 1.0;
  maps[0][0].slice(0, 3).fill_(0.1);
  maps[0][0][5][5] = -1;
  maps[0][1].fill_(1.0);
  const at::Tensor cues = cues_from_maps(maps, at::tensor({1, 0}).view({1, 2}).to(at::kBool), {});
  EXPECT_THAT(cues[0][1], equals_tensor(maps[0][0].gt(0.2).to(at::kFloat)));
  EXPECT_EQ(cues[0][2].sum().item<double>(), 0.0);
  // 3 of 36 cells: those at the bound, which is 0, are all in. The one cell below is smoothed away.
  EXPECT_THAT(cues[0][0].slice(0, 0, 2).slice(1, 4), equals_tensor(at::ones({2, 2})));
  EXPECT_EQ(cues[0][0][5][5].item<double>(), 0.0);
  EXPECT_EQ(cues_from_maps(maps, at::ones({1, 2}, at::kBool), {0.2, 0.0})[0][0].sum().item<double>(), 0.0);
}

TEST(Cues, OfLabelsAreSampledAtTheCentres) {
  const at::Tensor labels =
      at::tensor({0, 0, 1, 1, 0, 2, 1, 255, 255, 255, 2, 2, 254, 255, 2, 2}, at::kLong).view({1, 4, 4});
  const at::Tensor cues = cues_from_labels(labels, 3, 2, 2);
  EXPECT_THAT(cues.argmax(1), equals_tensor(at::tensor({2, 0, 0, 2}, at::kLong).view({1, 2, 2})));
  EXPECT_THAT(cues.sum(1), equals_tensor(at::tensor({1.f, 0.f, 0.f, 1.f}).view({1, 2, 2})));
}

class GrowingTest : public ::testing::Test {
 protected:
  // One row of five pixels, three labels; the probability of label 1 everywhere, the rest is the background's.
  static at::Tensor row(const std::vector<double>& first) {
    const at::Tensor one = doubles(first, {1, 1, 1, 5});
    return at::cat({1 - one, one, at::zeros_like(one)}, 1).to(at::kFloat);
  }
  static at::Tensor seeds(std::initializer_list<std::pair<std::int64_t, std::int64_t>> label_at) {
    at::Tensor seeds = at::zeros({1, 3, 1, 5});
    for (const auto& [label, pixel] : label_at) seeds[0][label][0][pixel] = 1;
    return seeds;
  }
  const at::Tensor present_ = at::tensor({1, 1, 1}).view({1, 3}).to(at::kBool);
};

TEST_F(GrowingTest, GrowsAlongSurePixelsAndStopsAtOthers) {
  const at::Tensor grown = seeded::grown_seeds(seeds({{1, 1}}), present_, row({0.9, 0.9, 0.9, 0.6, 0.9}), {});
  EXPECT_THAT(grown[0][1][0], equals_tensor(at::tensor({1.f, 1.f, 1.f, 0.f, 0.f})));
  EXPECT_EQ(grown[0][0].sum().item<double>(), 0.0);
}

TEST_F(GrowingTest, TheBackgroundNeedsMore) {
  const at::Tensor p = row({0.1, 0.05, 0.005, 0.005, 0.9});
  const at::Tensor grown = seeded::grown_seeds(seeds({{0, 3}}), present_, p, {});
  EXPECT_THAT(grown[0][0][0], equals_tensor(at::tensor({0.f, 0.f, 1.f, 1.f, 0.f})));
}

TEST_F(GrowingTest, AbsentLabelsNeitherGrowNorClaim) {
  const at::Tensor absent = at::tensor({1, 0, 1}).view({1, 3}).to(at::kBool);
  const at::Tensor before = seeds({{1, 1}});
  EXPECT_THAT(seeded::grown_seeds(before, absent, row({0.9, 0.9, 0.9, 0.9, 0.9}), {}), equals_tensor(before));
}

TEST_F(GrowingTest, ASeedOfAnotherLabelIsCutOutOrWins) {
  const at::Tensor p = row({0.9, 0.9, 0.9, 0.9, 0.9}), before = seeds({{1, 0}, {2, 2}});
  const at::Tensor released = seeded::grown_seeds(before, present_, p, {});
  EXPECT_THAT(released[0][1][0], equals_tensor(at::tensor({1.f, 1.f, 0.f, 1.f, 1.f})));
  const at::Tensor paper = seeded::grown_seeds(before, present_, p, {.seeds_win = true});
  EXPECT_THAT(paper[0][1][0], equals_tensor(at::tensor({1.f, 1.f, 0.f, 0.f, 0.f})));
  EXPECT_THAT(paper[0][2], equals_tensor(before[0][2]));
}

class SeededTest : public ::testing::TestWithParam<const char*> {
 protected:
  SeededTest() : context_(contract_context(run_, 2)) {
    context_.output_channels = 3;
    context_.head = make<SegmentationHead>(MethodKind::segmentation_head, "linear", context_);
  }

  std::shared_ptr<TrainingStrategy> strategy(const ParameterValues& parameters = {}) {
    return make<TrainingStrategy>(MethodKind::training_strategy, GetParam(), context_, parameters);
  }

  StepRequest step() {
    ViewBatch batch;
    batch.images_nchw = contract_images(2, 48, 64);
    batch.images_raw_nhwc = contract_images_raw(2, 48, 64);
    batch.present_nc = at::tensor({1, 0, 1, 1}).view({2, 2}).to(at::kBool);
    batch.target_nhw = at::full({2, 48, 64}, kIgnoreLabel, at::kLong);
    batch.target_nhw.slice(1, 0, 16).fill_(0);
    batch.target_nhw.slice(1, 32).fill_(1);
    batch.companions["maps"] = batch.images_nchw.slice(1, 0, 2).clamp_min(0).contiguous();
    StepRequest request;
    request.streams["main"]["main"] = batch;
    request.run = &run_;
    return request;
  }

  static std::map<std::string, double> values(const LossTerms& terms) {
    std::map<std::string, double> values;
    for (const auto& [name, value] : terms) values[name] = value.item<double>();
    return values;
  }

  FakeRun run_;
  ModelContext context_;
};

TEST_P(SeededTest, NeedsNoLossAndAddsThoseOfTheStudy) {
  const auto own = values(strategy()->training_step(step()));
  EXPECT_TRUE(own.contains("seed") && own.contains("constrain"));
  EXPECT_EQ(own.contains("expand"), std::string(GetParam()) == "sec");
  context_.losses = {{"more", 0.5, make<Loss>(MethodKind::loss, "cross_entropy", context_)}};
  const auto with_more = values(strategy()->training_step(step()));
  EXPECT_EQ(with_more.size(), own.size() + 1);
  EXPECT_GT(with_more.at("more"), 0.0);
}

TEST_P(SeededTest, LeavesOutTermsThatAreSwitchedOff) {
  StepRequest request = step();
  request.term_weight = [](std::string_view term) { return term == "seed" ? 1.0 : 0.0; };
  EXPECT_THAT(values(strategy()->training_step(request)), ElementsAre(Key("seed")));
}

TEST_P(SeededTest, TakesSeedsFromMapsOrLabels) {
  const ParameterValues labels{{"seeds", std::string("labels")}};
  const auto from_labels = strategy(labels), from_maps = strategy();
  const double before = values(from_labels->training_step(step())).at("seed");
  EXPECT_GT(std::abs(values(from_maps->training_step(step())).at("seed") - before), 1e-4);
  StepRequest other = step();
  other.streams["main"]["main"].companions["maps"].fill_(0.5);
  EXPECT_EQ(values(from_labels->training_step(other)).at("seed"), before);
}

TEST_P(SeededTest, TheBackgroundPlaneOfMapsIsNotRead) {
  const auto taught = strategy();
  StepRequest with_plane = step();
  at::Tensor& maps = with_plane.streams["main"]["main"].companions["maps"];
  maps = at::cat({at::ones_like(maps.narrow(1, 0, 1)), maps}, 1);
  EXPECT_EQ(values(taught->training_step(with_plane)), values(taught->training_step(step())));
}

TEST_P(SeededTest, PaddingHoldsNoSeeds) {
  const auto taught = strategy();
  StepRequest padded = step();
  ViewBatch& batch = padded.streams["main"]["main"];
  batch.valid.boxes_n4 = at::zeros({2, 4}, at::kLong);
  EXPECT_EQ(values(taught->training_step(padded)).at("seed"), 0.0);
  batch.valid.boxes_n4 = at::tensor({0, 0, 48, 64}, at::kLong).expand({2, 4});
  EXPECT_EQ(values(taught->training_step(padded)), values(taught->training_step(step())));
}

TEST_P(SeededTest, FitsWhatItIsShown) {
  const auto taught = strategy({{"seeds", std::string("labels")}});
  taught->train(true);
  double first = 0, last = 0;
  for (int i = 0; i < 40; ++i) {
    at::Tensor sum = at::zeros({});
    for (const auto& [name, value] : taught->training_step(step())) sum = sum + value;
    last = sum.item<double>();
    if (i == 0) first = last;
    sum.backward();
    const c10::NoGradGuard no_grad;
    for (const ParameterGroup& group : taught->parameter_groups()) {
      for (at::Tensor parameter : group.parameters) {
        parameter.sub_(parameter.grad(), 0.01 * group.learning_rate_factor);
        parameter.mutable_grad().reset();
      }
    }
  }
  EXPECT_LT(last, 0.85 * first);
}

TEST_P(SeededTest, RefusesALossWithTheNameOfATerm) {
  context_.losses = {{"seed", 1.0, make<Loss>(MethodKind::loss, "cross_entropy", context_)}};
  EXPECT_THROW(strategy(), UserError);
}

INSTANTIATE_TEST_SUITE_P(Strategies, SeededTest, ::testing::Values("sec", "dsrg"),
                         [](const auto& named) { return std::string(named.param); });

TEST(SeedingLosses, SayWhatTheyCannotUse) {
  FakeRun run;
  ModelContext context = contract_context(run, 2);
  context.output_channels = 3;
  context.head = make<SegmentationHead>(MethodKind::segmentation_head, "linear", context);
  const std::vector<std::vector<double>> clips{{1.0}, {0.0, 2.0}, {3.0, 2.0}};
  for (const std::vector<double>& clip : clips) {
    EXPECT_THROW(make<Loss>(MethodKind::loss, "constrain", context, {{"ratio_clip", clip}}), UserError);
    EXPECT_THROW(make<TrainingStrategy>(MethodKind::training_strategy, "dsrg", context, {{"ratio_clip", clip}}),
                 UserError);
  }
  EXPECT_THROW(crf_layer(at::zeros({1, 2, 3, 4}), at::zeros({1, 3, 5, 3}, at::kByte), {}), ContractError);
}

// Widths are told in pixels of the image and act on the grid of the logits.
TEST(SeedingLosses, ConstrainDividesBothWidthsByItsScale) {
  FakeRun run;
  const auto loss = [&](double scale, double gauss, double bilateral) {
    LossRequest request;
    request.logits = 3 * contract_images(1, 10, 14);
    request.images_raw_nhwc = contract_images_raw(1, 20, 28);
    return make<Loss>(MethodKind::loss, "constrain", contract_context(run, 2),
                      {{"crf_scale", scale}, {"gauss_sigma", gauss}, {"bilateral_xy", bilateral}})
        ->compute(request)
        .item<double>();
  };
  const double expected = loss(1, 1.5, 4);
  EXPECT_NEAR(loss(4, 6, 16), expected, 1e-9);
  EXPECT_GT(std::abs(loss(4, 1.5, 16) - expected), 1e-6) << "the spatial kernel has a say";
  EXPECT_GT(std::abs(loss(4, 6, 4) - expected), 1e-6) << "the bilateral one too";
}

// A dense CRF without pairwise terms leaves the softmax, from which nothing is far.
TEST(SeedingLosses, ConstrainIsNothingWhereTheCrfChangesNothing) {
  FakeRun run;
  const auto loss = make<Loss>(MethodKind::loss, "constrain", contract_context(run, 2),
                               {{"gauss_weight", 0.0}, {"bilateral_weight", 0.0}, {"floor", 1e-6}});
  LossRequest request;
  request.logits = contract_images(2, 5, 7).clone().set_requires_grad(true);
  request.images_raw_nhwc = contract_images_raw(2, 20, 28);
  EXPECT_NEAR(loss->compute(request).item<double>(), 0.0, 1e-5);
}

}  // namespace
}  // namespace seedbed::testing
