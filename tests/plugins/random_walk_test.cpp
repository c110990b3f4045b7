#include <memory>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <gmock/gmock.h>

#include "boundary_paths.hpp"
#include "cell_labels.hpp"
#include "contract/methods_under_test.hpp"
#include "propagation.hpp"
#include "random_walk_irn.hpp"
#include "random_walk_psa.hpp"
#include "seedbed/checks.hpp"
#include "seedbed/kernels/pixel_adaptive.hpp"
#include "seedbed/kernels/resize.hpp"
#include "seedbed/refiner.hpp"
#include "seedbed/trainable.hpp"
#include "support/tensor_matchers.hpp"

namespace seedbed::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

ParameterValues small_of(const std::string& id, ParameterValues changes = {}) {
  const Preset* small = method_under_test(MethodKind::refiner, id).manifest.find_preset("small");
  for (const auto& [name, value] : small->parameters) changes.try_emplace(name, value);
  return changes;
}

class TrainedWalkTest : public ::testing::TestWithParam<std::string> {
 protected:
  std::shared_ptr<Refiner> refiner(ParameterValues changes = {}) {
    return make<Refiner>(MethodKind::refiner, GetParam(), contract_context(run_), small_of(GetParam(), changes));
  }

  // Class 1 on the left half of the image, background on the right.
  StepRequest step(std::int64_t side = 64) {
    ViewBatch batch;
    batch.images_nchw = at::zeros({2, 3, side, side});
    batch.images_nchw.slice(3, 0, side / 2) += 2;
    batch.target_nhw = at::zeros({2, side, side}, at::kLong);
    batch.target_nhw.slice(2, 0, side / 2).fill_(1);
    if (GetParam() == "random_walk_psa_pooled") {
      const at::Tensor scores = batch.target_nhw.unsqueeze(1).eq(at::arange(4).view({1, 4, 1, 1})).to(at::kFloat);
      batch.companions = {{"low", scores}, {"high", scores * 0.5}};
    }
    StepRequest request;
    request.streams["main"]["main"] = batch;
    request.run = &run_;
    return request;
  }

  double train(Trainable& trainable, int steps) {
    double first = 0, last = 0;
    for (int i = 0; i < steps; ++i) {
      at::Tensor loss = at::zeros({});
      for (const auto& [name, term] : trainable.training_step(step())) loss = loss + term;
      loss.backward();
      last = loss.item<double>();
      if (i == 0) first = last;
      const c10::NoGradGuard no_grad;
      for (const ParameterGroup& group : trainable.parameter_groups()) {
        for (at::Tensor parameter : group.parameters) {
          if (!parameter.grad().defined()) continue;
          parameter.sub_(parameter.grad(), 0.05);
          parameter.mutable_grad().reset();
        }
      }
    }
    return last / first;
  }

  FakeRun run_;
};

TEST_P(TrainedWalkTest, LearnsWhereAClassEnds) {
  // Eight steps: what a hundred steps of training draw would not hold 256 of them back.
  const auto walk = refiner({{"log_steps", std::int64_t{3}}});
  EXPECT_LT(train(*walk->trainable(), 100), 0.7);
  // What is seen in a corner of the class spreads over it, and less to the other side.
  const c10::NoGradGuard no_grad;
  RefineRequest request;
  request.images_nhwc = at::full({1, 64, 64, 3}, 124, at::kByte);
  request.images_nhwc.slice(2, 0, 32).fill_(240);
  const bool has_background = GetParam() != "random_walk_irn";
  request.maps.planes = has_background ? std::vector<std::int64_t>{0, 1} : std::vector<std::int64_t>{1};
  request.maps.scores_nphw = at::zeros({1, has_background ? 2 : 1, 64, 64});
  request.maps.scores_nphw.select(1, has_background ? 1 : 0).slice(1, 8, 56).slice(2, 2, 18).fill_(1);
  request.maps.covered = {{0, 0, 64, 64}};
  request.run = &run_;
  const RefineResult result = walk->refine(request);
  check_refine_result(result, request, method_under_test(MethodKind::refiner, GetParam()).manifest);
  const at::Tensor map = result.maps.scores_nphw[0][has_background ? 1 : 0];
  EXPECT_GT(map.slice(1, 18, 30).mean().item<double>(), 2 * map.slice(1, 34, 62).mean().item<double>());
}

TEST_P(TrainedWalkTest, SaysWhatATrainingStepLacks) {
  const auto walk = refiner();
  StepRequest without = step();
  ViewBatch& batch = without.streams["main"]["main"];
  batch.target_nhw.reset();
  for (auto& [name, maps] : batch.companions) maps = maps.slice(1, 1);
  EXPECT_THAT([&] { walk->trainable()->training_step(without); },
              ThrowsMessage<UserError>(HasSubstr(batch.companions.empty() ? "names none" : "background plane")));
  EXPECT_THAT([&] { walk->trainable()->training_step(step(8)); }, ThrowsMessage<UserError>(HasSubstr("too small")));
}

TEST_P(TrainedWalkTest, NeedsABackboneWithItsTaps) {
  EXPECT_THAT([&] { make<Refiner>(MethodKind::refiner, GetParam(), contract_context(run_, 3, false)); },
              ThrowsMessage<UserError>(HasSubstr("names none")));
  EXPECT_THROW(refiner({{"taps", std::vector<std::string>{"stage9"}}}), UserError);
}

INSTANTIATE_TEST_SUITE_P(Methods, TrainedWalkTest,
                         ::testing::Values("random_walk_irn", "random_walk_psa", "random_walk_psa_pooled"));

TEST(RandomWalkIrn, DrawsBoundariesBetweenCellsAndNotBeyond) {
  at::Tensor boundary = at::zeros({7, 9});
  boundary.select(1, 4).fill_(0.75);
  const auto paths = random_walk_irn::boundary_paths(4);
  const at::Tensor affinities = random_walk_irn::affinities_between(boundary, paths);
  for (std::size_t o = 0; o < paths.size(); ++o) {
    const auto [dy, dx] = paths[o].offset;
    for (std::int64_t x = 0; x < 9; ++x) {
      const bool inside = x + dx >= 0 && x + dx < 9 && dy < 7;
      const bool crosses = std::min(x, x + dx) <= 4 && std::max(x, x + dx) >= 4;
      EXPECT_FLOAT_EQ(affinities[static_cast<std::int64_t>(o)][0][x].item<float>(), !inside   ? 0.0f
                                                                                    : crosses ? 0.25f
                                                                                              : 1.0f);
    }
  }
}

TEST(RandomWalkIrn, RefusesWidthsThatDoNotFitItsTaps) {
  FakeRun run;
  const auto made = [&](ParameterValues changes) {
    return make<Refiner>(MethodKind::refiner, "random_walk_irn", contract_context(run),
                         small_of("random_walk_irn", std::move(changes)));
  };
  EXPECT_THROW(made({{"displacement", true}, {"displacement_widths", std::vector<std::int64_t>{8}}}), UserError);
  EXPECT_THROW(made({{"displacement", true}, {"coarse_taps", std::int64_t{9}}}), UserError);
}

TEST(RandomWalkIrn, LeavesMapsWithoutEvidenceAtZero) {
  const at::Tensor none = at::zeros({2, 3, 3});
  EXPECT_THAT(random_walk_irn::at_image(none, 4, 4, 11, 12, false), equals_tensor(at::zeros({2, 11, 12})));
}

TEST(RandomWalkPsa, RefusesWidthsThatDoNotFitItsTaps) {
  FakeRun run;
  EXPECT_THROW(make<Refiner>(MethodKind::refiner, "random_walk_psa", contract_context(run),
                             small_of("random_walk_psa", {{"widths", std::vector<std::int64_t>{8}}})),
               UserError);
}

// Cells in a row: a class beside both backgrounds, beside the weak one alone, beside none, a contradiction, the margin.
TEST(RandomWalkPsa, LabelsCellsByTheirAverages) {
  const auto stack = [](const std::vector<double>& background, const std::vector<double>& foreground) {
    return at::stack({at::tensor(background), at::tensor(foreground)}).to(at::kFloat).view({1, 2, 1, -1});
  };
  const at::Tensor low = stack({0.2, 0.6, 0.9, 0.2, 0}, {0.7, 0.5, 0.1, 0.3, 0});
  const at::Tensor high = stack({0.1, 0.2, 0.8, 0.4, 0}, {0.7, 0.5, 0.1, 0.3, 1e-6});
  EXPECT_THAT(random_walk_psa::labels_of_averages(low, high),
              equals_tensor(at::tensor({1, 255, 0, 0, 255}, at::kLong).view({1, 1, 5})));
  const at::Tensor pixels = at::arange(16).to(at::kFloat).view({1, 1, 2, 8});
  EXPECT_THAT(random_walk_psa::averaged_over_cells(pixels, 1, 2),
              equals_tensor(at::tensor({5.5F, 9.5F}).view({1, 1, 1, 2})));
}

TEST(RandomWalkPsa, ReachesTheMarginsWithAllPairsAlone) {
  const at::Tensor features = at::rand({4, 9, 11}, generator(2));
  const at::Tensor released = random_walk_psa::affinities_between(features, 3, false);
  const at::Tensor all = random_walk_psa::affinities_between(features, 3, true);
  EXPECT_EQ(released.slice(2, 0, 2).abs().max().item<double>(), 0);
  EXPECT_GT(all.slice(2, 0, 2).max().item<double>(), 0);
  EXPECT_THAT(released.slice(1, 0, 7).slice(2, 2, 9), all_close(all.slice(1, 0, 7).slice(2, 2, 9), 0));
}

TEST(AttentionAffinity, AnIdentityLeavesTheScaledMap) {
  using namespace attention_affinity;
  const at::Tensor map = at::rand({2, 4, 5}, generator(4));
  EXPECT_THAT(scaled(gathered(map, balanced(at::eye(20), 3, 1))), all_close(scaled(map), 1e-6));
}

// The specification's example: three rounds, one squaring.
TEST(AttentionAffinity, BalancesAsTheWorkedExample) {
  using namespace attention_affinity;
  const at::Tensor attention =
      at::tensor({.5, .2, .2, .1, .1, .6, .1, .2, .3, .1, .4, .2, .1, .3, .2, .4}, at::kFloat).view({4, 4});
  const at::Tensor matrix = balanced(attention, 3, 1);
  EXPECT_THAT(matrix[0], all_close(at::tensor({.348162, .189854, .274500, .186927}, at::kFloat), 2e-6));
  const at::Tensor map = at::tensor({1.0, .8, 0.0, 0.0}, at::kFloat).view({1, 2, 2});
  EXPECT_THAT(gathered(map, matrix).flatten(),
              all_close(at::tensor({.500045, .479552, .419716, .400671}, at::kFloat), 3e-6));
}

TEST(AttentionAffinity, BoxesOfTheReleaseMissTheLastRowAndColumn) {
  using namespace attention_affinity;
  at::Tensor map = at::zeros({3, 3});
  map[0][2] = 1.0;
  EXPECT_EQ(evidence_boxes(map, 0.4, "reference").sum().item<std::int64_t>(), 0);
  EXPECT_EQ(evidence_boxes(map, 0.4, "inclusive").sum().item<std::int64_t>(), 1);
  EXPECT_THROW(evidence_boxes(map, 0.4, "other"), ContractError);
}

TEST(AttentionAffinity, NeedsABackboneWithAttention) {
  FakeRun run;
  EXPECT_THAT([&] { make<Refiner>(MethodKind::refiner, "attention_affinity", contract_context(run)); },
              ThrowsMessage<UserError>(HasSubstr("no attention")));
  EXPECT_THAT([&] { make<Refiner>(MethodKind::refiner, "attention_affinity", contract_context(run, 3, false)); },
              ThrowsMessage<UserError>(HasSubstr("names none")));
  ModelContext context = contract_context(run, 3, false);
  context.backbone =
      make<Backbone>(MethodKind::backbone, "vit", context,
                     {{"width", std::int64_t{16}}, {"heads", std::int64_t{2}}, {"depth", std::int64_t{3}}});
  EXPECT_THAT([&] { make<Refiner>(MethodKind::refiner, "attention_affinity", context); },
              ThrowsMessage<UserError>(HasSubstr("fewer blocks")));
}

class ParTest : public ::testing::Test {
 protected:
  at::Tensor refined(const ParameterValues& parameters = {}) {
    const auto refiner = make<Refiner>(MethodKind::refiner, "par", contract_context(run_, 2, false), parameters);
    RefineRequest request;
    request.images_nhwc = images_;
    request.maps.scores_nphw = maps_;
    request.maps.planes = {1, 2};
    request.maps.covered.resize(2);
    request.run = &run_;
    return refiner->refine(request).maps.scores_nphw;
  }

  at::Tensor images_ = contract_images_raw(2, 24, 30);
  at::Tensor maps_ = contract_images(2, 6, 8).slice(1, 0, 2).relu();
  FakeRun run_;
};

TEST_F(ParTest, IsTheKernelAtTheSizeThatItsParametersName) {
  const at::Tensor images = images_.permute({0, 3, 1, 2}).to(at::kFloat) / 255.0;
  const auto expected = [&](std::int64_t height, std::int64_t width, bool align_image) {
    const at::Tensor seen = height == 24 ? images : kernels::resize_maps(images, height, width, align_image);
    const at::Tensor planes = height == 6 ? maps_ : kernels::resize_maps(maps_, height, width, true);
    return kernels::pixel_adaptive_refine(seen, planes, kernels::par_options());
  };
  EXPECT_THAT(refined(), all_close(expected(24, 30, true), 1e-6));
  EXPECT_THAT(refined({{"downscale", std::int64_t{2}}}), all_close(expected(12, 15, false), 1e-6));
  EXPECT_THAT(refined({{"resize", std::string("image_to_maps")}}), all_close(expected(6, 8, true), 1e-6));
}

// The weights sum to 1 + distance_weight, unless they are divided by that.
TEST_F(ParTest, GrowsByOnePercentAnIterationAsReleased) {
  maps_ = at::full({2, 2, 6, 8}, 0.5);
  EXPECT_THAT(refined(), all_close(at::full({2, 2, 24, 30}, 0.5 * std::pow(1.01, 10)), 1e-5));
  EXPECT_THAT(refined({{"renormalise", true}}), all_close(at::full({2, 2, 24, 30}, 0.5), 1e-5));
}

}  // namespace
}  // namespace seedbed::testing
