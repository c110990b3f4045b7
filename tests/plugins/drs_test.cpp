#include <map>
#include <string>
#include <vector>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <gmock/gmock.h>

#include "contract/given_features.hpp"
#include "contract/methods_under_test.hpp"
#include "seedbed/seed_generator.hpp"
#include "support/tensor_matchers.hpp"

namespace seedbed::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

constexpr std::int64_t kChannels = 4;

const ParameterValues kLearnable{{"controller", std::string("learnable")}};

// The suppression alone: one activation, and a classifier that passes each channel on as a class.
class SuppressionTest : public ::testing::Test {
 protected:
  std::shared_ptr<SeedGenerator> suppression(ParameterValues parameters) {
    ModelContext context = contract_context(run_, kChannels, false);
    context.backbone = std::make_shared<GivenPreActivations>(kChannels);
    parameters["extra_layers"] = std::int64_t{0};
    auto generator = make<SeedGenerator>(MethodKind::seed_generator, "drs", context, parameters);
    generator->load_state({{"layers.classifier.weight", at::eye(kChannels).view({kChannels, kChannels, 1, 1})},
                           {"layers.classifier.bias", at::zeros({kChannels})}});
    return generator;
  }

  at::Tensor maps(SeedGenerator& generator, const at::Tensor& x) {
    SeedRequest request;
    request.images_nchw = x;
    request.views.resize(static_cast<std::size_t>(x.size(0)));
    request.run = &run_;
    return generator.generate(request).maps.scores_nphw;
  }

  at::Tensor suppressed(const ParameterValues& parameters, const at::Tensor& x) {
    const c10::NoGradGuard no_grad;
    return maps(*suppression(parameters), x);
  }

  FakeRun run_;
  at::Tensor x_ = contract_images(8, 5, 7).reshape({6, kChannels, 5, 7}) * 3.0;
};

TEST_F(SuppressionTest, HoldsCellsBelowTheShareOfTheMaximum) {
  const at::Tensor row = at::tensor({4.0F, 1.0F, 2.0F, 0.5F}).view({1, 1, 2, 2}).expand({1, kChannels, 2, 2});
  const std::map<double, std::vector<float>> expected{
      {1.0, {4, 1, 2, 0.5}}, {0.55, {2.2F, 1, 2, 0.5}}, {0.25, {1, 1, 1, 0.5}}, {0.0, {0, 0, 0, 0}}};
  for (const auto& [delta, cells] : expected) {
    EXPECT_THAT(suppressed({{"delta", delta}}, row)[0][2].flatten(), all_close(at::tensor(cells), 1e-6)) << delta;
  }
}

TEST_F(SuppressionTest, IsReluWhereTheWholeMaximumPasses) {
  EXPECT_THAT(suppressed({{"delta", 1.0}}, x_), equals_tensor(x_.relu()));
}

TEST_F(SuppressionTest, NeverExceedsTheShareAndTakesItTwiceWhenAppliedTwice) {
  const ParameterValues parameters{{"delta", 0.55}};
  const at::Tensor once = suppressed(parameters, x_), twice = suppressed(parameters, once);
  const at::Tensor maximum = x_.relu().amax({2, 3}, true);
  EXPECT_TRUE(once.le(maximum * 0.55).all().item<bool>());
  EXPECT_THAT(once.amax({2, 3}, true), all_close(maximum * 0.55, 1e-6));
  EXPECT_THAT(twice.amax({2, 3}, true), all_close(maximum * (0.55 * 0.55), 1e-6));
}

TEST_F(SuppressionTest, SharesHalfWhereAControllerKnowsNothing) {
  ParameterValues zero = kLearnable;
  zero["controller_deviation"] = 0.0;
  EXPECT_THAT(suppressed(zero, x_), equals_tensor(suppressed({{"delta", 0.5}}, x_)));
  // At the start it is close to that in every channel.
  EXPECT_THAT(suppressed(kLearnable, x_), all_close(suppressed({{"delta", 0.5}}, x_), 0.1));
}

TEST_F(SuppressionTest, SendsTheGradientOfWhatItSuppressesToTheMaximum) {
  const auto generator = suppression({{"delta", 0.55}});
  const at::Tensor x = at::tensor({4.0F, 1.0F, 3.0F, -1.0F}).view({1, 1, 2, 2}).repeat({1, kChannels, 1, 1});
  x.set_requires_grad(true);
  maps(*generator, x).sum().backward();
  // 4 and 3 are above 2.2: both gradients go to the place of the 4, times the share.
  EXPECT_THAT(x.grad()[0][0].flatten(), all_close(at::tensor({1.1F, 1.0F, 0.0F, 0.0F}), 1e-6));
}

// The paper's formula, by operations whose gradients PyTorch knows.
at::Tensor formula(const at::Tensor& x, double delta, const at::Tensor& weight) {
  const at::Tensor activated = x.relu();
  const at::Tensor maximum = activated.amax({2, 3}, true);
  if (!weight.defined()) return at::minimum(activated, maximum * delta);
  const at::Tensor share = at::linear(activated.mean({2, 3}), weight).sigmoid();
  return at::minimum(activated, maximum * share.view_as(maximum));
}

TEST_F(SuppressionTest, HasTheValuesAndGradientsOfItsFormulaInBothLayouts) {
  const at::Tensor values = contract_images(8, 41, 37).reshape({6, kChannels, 41, 37}) + 0.01;
  const at::Tensor upstream = contract_images(8, 37, 41).reshape({6, kChannels, 41, 37});
  for (const at::MemoryFormat layout : {at::MemoryFormat::Contiguous, at::MemoryFormat::ChannelsLast}) {
    for (const ParameterValues& parameters : {ParameterValues{{"delta", 0.55}}, kLearnable}) {
      const auto generator = suppression(parameters);
      const at::Tensor x = values.contiguous(layout).clone().set_requires_grad(true);
      const at::Tensor found = maps(*generator, x);
      (found * upstream).sum().backward();

      const NamedTensors state = generator->state();
      const auto weight = state.find("controllers.relu.weight");
      const at::Tensor own_weight =
          weight == state.end() ? at::Tensor() : weight->second.detach().clone().set_requires_grad(true);
      const at::Tensor own_x = values.clone().set_requires_grad(true);
      const at::Tensor expected = formula(own_x, 0.55, own_weight);
      (expected * upstream).sum().backward();
      EXPECT_THAT(found.detach(), all_close(expected.detach(), 1e-6));
      EXPECT_THAT(x.grad(), all_close(own_x.grad(), 1e-4, 1e-5));
      if (!own_weight.defined()) continue;
      EXPECT_THAT(weight->second.grad(), all_close(own_weight.grad(), 1e-4, 1e-5));
    }
  }
}

// Where the generator on `backbone` changes what passes: the names of its controllers, of backbone and extra layers.
class SitesTest : public ::testing::Test {
 protected:
  std::shared_ptr<SeedGenerator> drs(const std::string& backbone, const ParameterValues& of_backbone,
                                     ParameterValues parameters) {
    ModelContext context = contract_context(run_, 20, false);
    context.backbone = make<Backbone>(MethodKind::backbone, backbone, context, of_backbone);
    parameters.try_emplace("controller", std::string("learnable"));
    return make<SeedGenerator>(MethodKind::seed_generator, "drs", context, parameters);
  }

  std::vector<std::string> sites(const std::string& backbone, const ParameterValues& of_backbone,
                                 const ParameterValues& parameters = {}) {
    std::vector<std::string> names;
    for (const auto& [name, parameter] : drs(backbone, of_backbone, parameters)->named_parameters()) {
      const auto end = name.rfind(".weight");
      if (name.starts_with("controllers.")) names.push_back(name.substr(12, end - 12));
      if (name.starts_with("extra_controllers.")) names.push_back(name.substr(18, end - 18));
    }
    return names;
  }

  static ParameterValues at(std::vector<std::string> words) { return {{"sites", std::move(words)}}; }

  FakeRun run_;
};

const ParameterValues kVgg{{"variant", std::string("drs")}};

TEST_F(SitesTest, OfVgg16AreAllSixteenActivations) {
  const auto generator = drs("vgg16", kVgg, {});
  std::int64_t weights = 0, count = 0;
  for (const auto& [name, parameter] : generator->named_parameters()) {
    if (name.find("controllers.") == std::string::npos) continue;
    weights += parameter.numel();
    ++count;
  }
  EXPECT_EQ(count, 16);
  EXPECT_EQ(weights, 2596864);  // 2 x 64^2 + 2 x 128^2 + 3 x 256^2 + 9 x 512^2
}

TEST_F(SitesTest, AreChosenByStage) {
  EXPECT_THAT(sites("vgg16", kVgg, at({"stage5", "extra"})),
              ElementsAre("features_25", "features_27", "features_29", "extra_conv1", "extra_conv2", "extra_conv3"));
  EXPECT_THAT(sites("vgg16", kVgg, at({"stage1", "stage2"})),
              ElementsAre("features_1", "features_3", "features_6", "features_8"));
  EXPECT_THAT(sites("resnet18", {}, at({"stage5"})), ElementsAre("layer4_0_relu2", "layer4_1_relu2"));
}

TEST_F(SitesTest, OfAResNetAreItsBlocksOutputs) {
  EXPECT_THAT(sites("resnet18", {}, at({"backbone"})),
              ElementsAre("layer1_0_relu2", "layer1_1_relu2", "layer2_0_relu2", "layer2_1_relu2", "layer3_0_relu2",
                          "layer3_1_relu2", "layer4_0_relu2", "layer4_1_relu2"));
  ParameterValues inner = at({"stage2"});
  inner["inner_activations"] = true;
  EXPECT_THAT(sites("resnet18", {}, inner),
              ElementsAre("layer1_0_relu1", "layer1_0_relu2", "layer1_1_relu1", "layer1_1_relu2"));
}

TEST_F(SitesTest, OfAFireModuleAreBothExpansions) {
  EXPECT_THAT(sites("squeezenet", {}, at({"stage2"})),
              ElementsAre("features_3_expand1x1_activation", "features_3_expand3x3_activation",
                          "features_4_expand1x1_activation", "features_4_expand3x3_activation"));
  EXPECT_THAT(sites("squeezenet", {}, at({"features.1", "features.12.squeeze_activation"})),
              ElementsAre("features_1", "features_12_squeeze_activation"));
}

TEST_F(SitesTest, RefusesWhatIsNoActivation) {
  EXPECT_THAT([&] { sites("squeezenet", {}, at({"stage6"})); }, ThrowsMessage<UserError>(HasSubstr("`stage6`")));
  EXPECT_THAT([&] { sites("squeezenet", {}, at({"features.0"})); },
              ThrowsMessage<UserError>(HasSubstr("`features.0`")));
}

TEST_F(SitesTest, RefusesControllersWithoutAGradient) {
  for (const char* cut : {"stage3", "all"}) {
    EXPECT_THAT(
        [&] {
          drs("squeezenet", {}, {{"freeze_backbone", std::string(cut)}});
        },
        ThrowsMessage<UserError>(HasSubstr("gets no gradient")));
  }
  ParameterValues behind = at({"stage4", "stage5", "extra"});
  behind["freeze_backbone"] = std::string("stage3");
  EXPECT_NO_THROW(drs("squeezenet", {}, behind));
  EXPECT_NO_THROW(
      drs("squeezenet", {}, {{"freeze_backbone", std::string("all")}, {"controller", std::string("fixed")}}));
}

class DrsTest : public ::testing::Test {
 protected:
  std::shared_ptr<SeedGenerator> drs(const ParameterValues& parameters = {}) {
    return make<SeedGenerator>(MethodKind::seed_generator, "drs", contract_context(run_, 2), parameters);
  }

  SeedResult generate(SeedGenerator& generator) {
    const c10::NoGradGuard no_grad;
    SeedRequest request;
    request.images_nchw = contract_images(2, 40, 48);
    request.views.resize(2);
    request.logits_wanted = true;
    request.run = &run_;
    return generator.generate(request);
  }

  FakeRun run_;
};

TEST_F(DrsTest, AveragesItsMapBiasIncludedToTheLogit) {
  const auto generator = drs();
  generator->load_state({{"layers.classifier.bias", at::tensor({2.0F, -1.0F})}});
  const SeedResult result = generate(*generator);
  EXPECT_THAT(result.maps.scores_nphw.mean({2, 3}), all_close(result.logits_nc, 1e-5));
}

TEST_F(DrsTest, TrainsControllersThroughTheirSites) {
  const auto generator = drs(kLearnable);
  ViewBatch batch;
  batch.images_nchw = contract_images(2, 40, 48);
  batch.present_nc = at::eye(2, at::kBool);
  StepRequest step;
  step.streams["main"]["main"] = batch;
  step.run = &run_;
  generator->trainable()->training_step(step).front().second.backward();
  for (const auto& [name, parameter] : generator->named_parameters()) {
    ASSERT_TRUE(parameter.grad().defined()) << name;
    if (name.find("controllers.") == std::string::npos) continue;
    EXPECT_GT(parameter.grad().abs().max().item<double>(), 0.0) << name;
  }
}

TEST_F(DrsTest, GivesNewLayersAndBiasesTheirRates) {
  std::map<std::string, double> factors;
  for (const ParameterGroup& group : drs(kLearnable)->trainable()->parameter_groups()) {
    factors[group.name] = group.learning_rate_factor;
    EXPECT_EQ(group.weight_decay_factor, 1.0);
  }
  EXPECT_EQ(factors.at("pretrained"), 1.0);
  EXPECT_EQ(factors.at("new"), 10.0);
  EXPECT_EQ(factors.at("new_bias"), 20.0);
}

}  // namespace
}  // namespace seedbed::testing
