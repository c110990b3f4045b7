#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <gmock/gmock.h>

#include "contract/given_features.hpp"
#include "contract/methods_under_test.hpp"
#include "seedbed/seed_generator.hpp"
#include "support/tensor_matchers.hpp"

namespace seedbed::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

constexpr std::int64_t kChannels = 3;

// Counts its passes.
class CountedFeatures : public GivenFeatures {
 public:
  CountedFeatures() : GivenFeatures(kChannels) {}
  ForwardResult forward(const ForwardRequest& request) override {
    ++num_passes;
    return GivenFeatures::forward(request);
  }
  std::int64_t num_passes = 0;
};

class CamTest : public ::testing::Test {
 protected:
  std::shared_ptr<SeedGenerator> cam(const ParameterValues& parameters, std::shared_ptr<Backbone> backbone = {}) {
    ModelContext context = contract_context(run_, 2, false);
    context.backbone = backbone ? std::move(backbone) : std::make_shared<GivenFeatures>(kChannels);
    return make<SeedGenerator>(MethodKind::seed_generator, "cam", context, parameters);
  }

  // Class 1 is where channel 0 is high, class 2 where channel 1 is.
  StepRequest step(std::int64_t n = 4, std::int64_t height = 5, std::int64_t width = 6) {
    ViewBatch batch;
    batch.images_nchw = contract_images(n, height, width) * 0.1 + 3.0;
    batch.present_nc = at::arange(n).remainder(2).view({n, 1}).eq(at::arange(2));
    for (std::int64_t i = 0; i < n; ++i) {
      batch.images_nchw[i][i % 2] += 2.0;
      batch.image_ids.push_back("image" + std::to_string(i));
    }
    StepRequest request;
    request.streams["main"]["main"] = batch;
    request.run = &run_;
    return request;
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

  static void collect(SeedGenerator& generator, const StepRequest& request) {
    const c10::NoGradGuard no_grad;
    generator.trainable()->collect(request);
  }

  FakeRun run_;
};

const ParameterValues kStandardised{
    {"standardise_features", true}, {"freeze_backbone", std::string("all")}, {"bias", true}};

TEST_F(CamTest, CollectsMeanAndDeviationOfAveragedFeatures) {
  const auto generator = cam(kStandardised);
  const at::Tensor images = step(6).main().images_nchw;
  for (const auto& [from, to] : {std::pair{0, 4}, {4, 6}}) {
    StepRequest part = step(6);
    ViewBatch& batch = part.streams["main"]["main"];
    batch.images_nchw = images.slice(0, from, to);
    collect(*generator, part);
  }
  const at::Tensor averages = images.mean({2, 3}).to(at::kDouble);
  const NamedTensors state = generator->state();
  EXPECT_EQ(state.at("feature_count").item<double>(), 6.0);
  EXPECT_THAT(state.at("feature_mean"), all_close(averages.mean(0), 1e-6));
  EXPECT_THAT((state.at("feature_spread") / 6).sqrt(), all_close(averages.std(0, /*unbiased=*/false), 1e-6));
}

TEST_F(CamTest, AveragesItsMapToTheLogitLessTheBias) {
  for (const bool map_bias : {false, true}) {
    ParameterValues parameters = kStandardised;
    parameters["map_bias"] = map_bias;
    const auto generator = cam(parameters);
    collect(*generator, step());
    const SeedResult result = generate(*generator, step().main().images_nchw);
    const at::Tensor average = result.maps.scores_nphw.mean({2, 3});
    const at::Tensor bias = map_bias ? at::zeros({2}) : generator->state().at("classifier.bias").detach();
    EXPECT_THAT(average + bias, all_close(result.logits_nc, 1e-4, 1e-4));
  }
}

TEST_F(CamTest, LeavesAChannelThatNeverChangesUnscaled) {
  const auto generator = cam(kStandardised);
  StepRequest request = step();
  request.streams["main"]["main"].images_nchw.select(1, 2).fill_(0.0);
  collect(*generator, request);
  const SeedResult result = generate(*generator, step().main().images_nchw);
  EXPECT_LT(result.maps.scores_nphw.abs().max().item<double>(), 100.0);
}

TEST_F(CamTest, LearnsToTellClassesAndPlaces) {
  for (const ParameterValues& parameters :
       {ParameterValues{}, kStandardised, ParameterValues{{"pooling", std::string("softmax")}},
        ParameterValues{{"pooling", std::string("top_k")}}, ParameterValues{{"pooling", std::string("gwrp")}}}) {
    const auto generator = cam(parameters);
    collect(*generator, step());
    double first = 0, last = 0;
    for (int i = 0; i < 60; ++i) {
      const at::Tensor loss = generator->trainable()->training_step(step()).front().second;
      last = loss.item<double>();
      if (i == 0) first = last;
      loss.backward();
      const c10::NoGradGuard no_grad;
      for (const ParameterGroup& group : generator->trainable()->parameter_groups()) {
        for (at::Tensor parameter : group.parameters) {
          parameter.sub_(parameter.grad(), 0.1 * group.learning_rate_factor / 10.0);
          parameter.mutable_grad().reset();
        }
      }
    }
    EXPECT_LT(last, 0.8 * first);
    at::Tensor image = at::full({1, kChannels, 4, 8}, 3.0);
    image.select(1, 0).slice(2, 4, 8) += 2.0;
    const at::Tensor map = generate(*generator, image).maps.scores_nphw[0][0];
    EXPECT_GT(map.slice(1, 4, 8).mean().item<double>(), map.slice(1, 0, 4).mean().item<double>());
  }
}

TEST_F(CamTest, PassesEachImageOnceWhenItCaches) {
  const auto backbone = std::make_shared<CountedFeatures>();
  ParameterValues parameters = kStandardised;
  parameters["cache_features"] = true;
  const auto generator = cam(parameters, backbone);
  collect(*generator, step());
  EXPECT_EQ(backbone->num_passes, 4);
  const at::Tensor cached = generator->trainable()->training_step(step()).front().second;
  EXPECT_EQ(backbone->num_passes, 4);

  const auto plain = cam(kStandardised);
  plain->load_state(generator->state());
  EXPECT_THAT(plain->trainable()->training_step(step()).front().second, all_close(cached, 1e-5));
  // Another size of the same image is another input.
  generator->trainable()->training_step(step(4, 7, 6));
  EXPECT_EQ(backbone->num_passes, 8);
}

TEST_F(CamTest, LooksAtAnImageWithoutItsPadding) {
  const auto generator = cam(kStandardised);
  StepRequest padded = step(2, 5, 6);
  ViewBatch& batch = padded.streams["main"]["main"];
  batch.valid.boxes_n4 = at::tensor({0, 0, 5, 6, 0, 0, 3, 4}, at::kLong).view({2, 4});
  batch.images_nchw[1].slice(1, 3) = 1000.0;
  batch.images_nchw[1].slice(2, 4) = 1000.0;
  collect(*generator, padded);
  EXPECT_LT(generator->state().at("feature_mean").max().item<double>(), 10.0);
}

TEST_F(CamTest, RefusesToCacheWhatTrainingChanges) {
  EXPECT_THAT([&] { cam({{"cache_features", true}}); }, ThrowsMessage<UserError>(HasSubstr("frozen backbone")));
  EXPECT_THAT([&] { cam({{"tap", std::string("stage9")}}); }, ThrowsMessage<UserError>(HasSubstr("`stage9`")));
  EXPECT_THAT(
      [&] {
        cam({{"freeze_backbone", std::string("stage9")}});
      },
      ThrowsMessage<UserError>(HasSubstr("`stage9`")));
}

TEST_F(CamTest, CutsGradientsBehindATap) {
  const ModelContext context = contract_context(run_, 2);
  const auto generator = cam({{"freeze_backbone", std::string("stage3")}}, context.backbone);
  StepRequest request = step(2, 32, 32);
  generator->trainable()->training_step(request).front().second.backward();
  for (const auto& [name, parameter] : generator->named_parameters()) {
    const bool frozen = name.starts_with("backbone.stage1") || name.starts_with("backbone.stage2") ||
                        name.starts_with("backbone.stage3");
    EXPECT_EQ(parameter.grad().defined(), !frozen) << name;
  }
}

TEST_F(CamTest, GivesBiasesAndNewLayersTheirRates) {
  const auto generator = cam({{"bias", true}, {"bias_learning_rate_factor", 2.0}, {"bias_weight_decay_factor", 0.0}},
                             contract_context(run_, 2).backbone);
  std::map<std::string, ParameterGroup> groups;
  for (ParameterGroup& group : generator->trainable()->parameter_groups()) groups[group.name] = group;
  EXPECT_EQ(groups.at("pretrained").learning_rate_factor, 1.0);
  EXPECT_EQ(groups.at("new").learning_rate_factor, 10.0);
  EXPECT_EQ(groups.at("new_bias").learning_rate_factor, 20.0);
  EXPECT_EQ(groups.at("new_bias").weight_decay_factor, 0.0);
}

}  // namespace
}  // namespace seedbed::testing
