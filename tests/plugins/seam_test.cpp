#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <gmock/gmock.h>

#include "contract/methods_under_test.hpp"
#include "pixel_correlation.hpp"
#include "seam_losses.hpp"
#include "seedbed/error.hpp"
#include "seedbed/seed_generator.hpp"
#include "support/formula_tensors.hpp"
#include "support/tensor_matchers.hpp"

namespace seedbed::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

TEST(PixelCorrelation, SpreadsAlongSimilarFeaturesOnly) {
  // Left and right half look at right angles; the map is lit in one cell on the left.
  at::Tensor features = at::zeros({1, 2, 4, 6});
  features[0][0].slice(1, 0, 3).fill_(2.0);
  features[0][1].slice(1, 3).fill_(0.5);
  at::Tensor map = at::zeros({1, 1, 4, 6});
  map[0][0][1][1] = 12.0;
  const at::Tensor spread = seam::correlate(map, features);
  EXPECT_THAT(spread.slice(3, 0, 3), all_close(at::ones({1, 1, 4, 3}), 1e-4));
  EXPECT_EQ(spread.slice(3, 3).abs().max().item<double>(), 0.0);
}

TEST(PixelCorrelation, IsTheSameInParts) {
  const at::Tensor map = formula_input("map", {1, 3, 47, 53}), features = formula_input("features", {1, 4, 47, 53});
  const at::Tensor whole = seam::correlate(map, features);
  const c10::NoGradGuard no_grad;
  ASSERT_GT(47 * 53, 2048) << "more cells than a part holds";
  EXPECT_THAT(seam::correlate(map, features), all_close(whole, 1e-6, 1e-5));
}

TEST(PixelCorrelation, SpreadsTheLargestClassOfACellAndItsRest) {
  const at::Tensor maps = at::tensor({9.0f, 9.0f, 2.0f, 1.0f, 1.0f, 4.0f}).view({1, 3, 1, 2});
  const at::Tensor wanted = at::tensor({0.0f, 0.0f, 1.0f, 0.0f, 0.0f, 1.0f}).view({1, 3, 1, 2});
  EXPECT_THAT(seam::spreadable(maps), all_close(wanted, 1e-4));
  EXPECT_THAT(seam::spreadable(at::full({1, 3, 1, 2}, -1.0)).select(1, 0), equals_tensor(at::ones({1, 1, 2})));
}

TEST(SeamLosses, CompareTheHardestValues) {
  // The target is the class map (1, 0); the background what it leaves.
  const at::Tensor target = at::tensor({5.0f, 5.0f, 1.0f, 0.0f}).view({1, 2, 1, 2});
  const at::Tensor refined = at::tensor({0.0f, 0.5f, 0.9f, 0.2f}).view({1, 2, 1, 2});
  EXPECT_NEAR(seam::cross_refinement_loss(refined, target, 0.5).item<double>(), (0.5 + 0.2) / 2, 1e-6);
  EXPECT_NEAR(seam::cross_refinement_loss(refined, target, 0.1).item<double>(), 0.5, 1e-6) << "one value at least";
}

TEST(SeamLosses, PoolTheLeastPixelsOfPresentClasses) {
  const at::Tensor maps = at::tensor({0.f, 0.f, 0.f, 0.f, -3.f, 1.f, 2.f, 4.f, 9.f, 9.f, 9.f, 9.f}).view({1, 3, 1, 4});
  const at::Tensor present = at::tensor({1, 0}).to(at::kBool).view({1, 2});
  EXPECT_NEAR(seam::minimum_pooling_loss(maps, present, 0.5).item<double>(), 0.5, 1e-6);
}

class SeamTest : public ::testing::Test {
 protected:
  std::shared_ptr<SeedGenerator> seam(ParameterValues parameters = {}, std::shared_ptr<Backbone> backbone = {}) {
    ModelContext context = contract_context(run_, 2);
    if (backbone) context.backbone = std::move(backbone);
    parameters.try_emplace("view_scale", 0.5);
    parameters.try_emplace("dropout", 0.0);
    auto made = make<SeedGenerator>(MethodKind::seed_generator, "seam", context, parameters);
    made->train(true);
    return made;
  }

  LossTerms step(SeedGenerator& generator, std::int64_t side = 64) {
    StepRequest request;
    ViewBatch& batch = request.streams["main"]["main"];
    batch.images_nchw = contract_images(2, side, side + 8);
    batch.present_nc = at::eye(2, at::kBool);
    request.run = &run_;
    return generator.trainable()->training_step(request);
  }

  static at::Tensor term(const LossTerms& terms, std::string_view name) {
    return std::ranges::find(terms, name, &LossTerms::value_type::first)->second;
  }

  SeedResult generate(SeedGenerator& generator, const at::Tensor& images) {
    const c10::NoGradGuard no_grad;
    SeedRequest request;
    request.images_nchw = images;
    request.views.resize(static_cast<std::size_t>(images.size(0)));
    request.logits_wanted = true;
    request.run = &run_;
    return generator.generate(request);
  }

  FakeRun run_;
};

TEST_F(SeamTest, NamesItsTerms) {
  std::vector<std::string> names;
  for (const auto& [name, value] : step(*seam())) names.push_back(name);
  EXPECT_THAT(names, ElementsAre("classification", "minimum_pooling", "equivariance", "cross_refinement"));
}

TEST_F(SeamTest, TwoViewsOfOneSizeAreEquivariant) {
  EXPECT_EQ(term(step(*seam({{"view_scale", 1.0}})), "equivariance").item<double>(), 0.0);
  EXPECT_GT(term(step(*seam()), "equivariance").item<double>(), 0.0);
}

TEST_F(SeamTest, ComparingPixelsTrainsTheBackboneOnRequestOnly) {
  for (const bool wanted : {false, true}) {
    const auto generator = seam({{"context_gradient", wanted}});
    term(step(*generator), "minimum_pooling").backward();
    double reached = 0;
    for (const auto& [name, parameter] : generator->named_parameters()) {
      if (name.starts_with("backbone.") && parameter.grad().defined())
        reached += parameter.grad().abs().sum().item<double>();
    }
    EXPECT_EQ(reached > 0, wanted);
    EXPECT_GT(generator->state().at("correlation.weight").grad().abs().sum().item<double>(), 0.0);
    EXPECT_FALSE(generator->state().at("classifier.weight").grad().defined()) << "what is spread carries no graph";
  }
}

TEST_F(SeamTest, GivesTheMapAskedForAtTheSizeAskedFor) {
  const at::Tensor images = contract_images(2, 48, 64);
  const auto refined = seam(), plain = seam({{"map", std::string("plain")}, {"maps_at_input", false}});
  plain->load_state(refined->state());
  EXPECT_THAT(generate(*refined, images).maps.scores_nphw, has_shape({2, 2, 48, 64}));
  EXPECT_GE(generate(*refined, images).maps.scores_nphw.min().item<double>(), 0.0) << "means of maps within 0..1";
  const SeedResult result = generate(*plain, images);
  EXPECT_THAT(result.maps.scores_nphw, has_shape({2, 2, 6, 8}));
  EXPECT_THAT(result.maps.scores_nphw.mean({2, 3}), all_close(result.logits_nc, 1e-5));
}

TEST_F(SeamTest, AddsItsLayersAsNewOnes) {
  std::map<std::string, ParameterGroup> groups;
  for (ParameterGroup& group : seam()->trainable()->parameter_groups()) groups[group.name] = group;
  EXPECT_EQ(groups.at("new").learning_rate_factor, 10.0);
  std::size_t new_parameters = 0;
  for (const ParameterGroup& group : seam()->trainable()->parameter_groups()) {
    if (group.name == "new") new_parameters += group.parameters.size();
  }
  EXPECT_EQ(new_parameters, 4u) << "classifier, two taps of the context, correlation";
}

TEST_F(SeamTest, RefusesWhatCannotWork) {
  EXPECT_THAT(
      [&] {
        seam({{"context_widths", std::vector<std::int64_t>{8}}});
      },
      ThrowsMessage<UserError>(HasSubstr("`2` taps, `1` widths")));
  EXPECT_THAT([&] { seam({{"tap", std::string("stage9")}}); }, ThrowsMessage<UserError>(HasSubstr("`stage9`")));
  EXPECT_THAT(
      [&] {
        seam({{"tap", std::string("block.0")}}, std::make_shared<TinyBackbone>(run_.generator()));
      },
      ThrowsMessage<UserError>(HasSubstr("`block.0`")));
  EXPECT_THAT([&] { step(*seam({{"view_scale", 0.01}})); }, ThrowsMessage<UserError>(HasSubstr("`0 x 0`")));
}

}  // namespace
}  // namespace seedbed::testing
