#include <algorithm>
#include <set>
#include <string>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <gmock/gmock.h>

#include "contract/given_features.hpp"
#include "contract/methods_under_test.hpp"
#include "seedbed/error.hpp"
#include "seedbed/seed_generator.hpp"
#include "support/tensor_matchers.hpp"

namespace seedbed::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;
using ::testing::ThrowsMessage;

// A host that was given a file of weights.
class RunWithWeights : public FakeRun {
 public:
  NamedTensors weights(std::string_view) override { return tensors; }
  NamedTensors tensors;
};

class BasTest : public ::testing::Test {
 protected:
  std::shared_ptr<SeedGenerator> bas(const ParameterValues& parameters = {}, const std::string& norm = "batch") {
    ModelContext context = contract_context(run_, 3);
    context.backbone = small_cnn(norm);
    auto made = make<SeedGenerator>(MethodKind::seed_generator, "bas", context, parameters);
    made->train(true);
    return made;
  }

  std::shared_ptr<Backbone> small_cnn(const std::string& norm) {
    return make<Backbone>(MethodKind::backbone, "small_cnn", contract_context(run_, 3, false),
                          {{"width", std::int64_t{8}}, {"norm", norm}});
  }

  StepRequest request(const at::Tensor& present, std::int64_t side = 48) {
    StepRequest request;
    ViewBatch& batch = request.streams["main"]["main"];
    batch.images_nchw = contract_images(present.size(0), side, side);
    batch.present_nc = present;
    request.run = &run_;
    return request;
  }

  LossTerms step(SeedGenerator& generator) {
    return generator.trainable()->training_step(request(at::eye(3, at::kBool)));
  }

  static at::Tensor term(const LossTerms& terms, std::string_view name) {
    return std::ranges::find(terms, name, &LossTerms::value_type::first)->second;
  }

  SeedResult generate(SeedGenerator& generator, const at::Tensor& images) {
    const c10::NoGradGuard no_grad;
    SeedRequest seeds;
    seeds.images_nchw = images;
    seeds.views.resize(static_cast<std::size_t>(images.size(0)));
    seeds.run = &run_;
    return generator.generate(seeds);
  }

  // The features behind a ReLU are not below zero, so this makes every foreground map 0 or 1.
  static void set_foreground(SeedGenerator& generator, bool on) {
    const c10::NoGradGuard no_grad;
    at::Tensor weight = generator.state().at("map_classifier.weight");
    weight.fill_(on ? 1e4 : -1e4);
  }

  RunWithWeights run_;
};

// Specification, golden checks of BAS: nothing erased leaves the activation as it is.
TEST_F(BasTest, WithoutForegroundEverythingSurvives) {
  const auto generator = bas({}, "none");
  const at::Tensor images = contract_images(3, 48, 48);
  // Only images whose own class is active at all have a ratio of 1; ReLU leaves the others 0.
  set_foreground(*generator, false);
  const at::Tensor scores = [&] {
    const c10::NoGradGuard no_grad;
    SeedRequest seeds;
    seeds.images_nchw = images;
    seeds.views.resize(3);
    seeds.logits_wanted = true;
    seeds.run = &run_;
    return generator->generate(seeds).logits_nc;
  }();
  const double active = scores.diagonal().gt(0).to(at::kFloat).mean().item<double>();
  EXPECT_NEAR(term(step(*generator), "suppression").item<double>(), active, 1e-3);
  EXPECT_EQ(term(step(*generator), "area").item<double>(), 0.0);
}

// With everything erased the top layers see nothing but what their shifts make of it.
TEST_F(BasTest, UnderAWholeForegroundTheTopLayersSeeZeros) {
  const auto generator = bas();
  set_foreground(*generator, true);
  EXPECT_EQ(term(step(*generator), "area").item<double>(), 1.0);
  {
    const c10::NoGradGuard no_grad;
    for (auto& [name, parameter] : generator->named_parameters()) {
      if (name.find("norm") != std::string::npos && name.ends_with("bias")) at::Tensor(parameter).fill_(0.5);
    }
    at::Tensor weight = generator->state().at("classifier.weight");
    weight.fill_(1.0);
  }
  // Zeros come out of the norms as their shift, so the score is not zero.
  EXPECT_GT(term(step(*generator), "suppression").item<double>(), 0.0);
}

TEST_F(BasTest, SuppressionTrainsTheForegroundAlone) {
  const auto generator = bas();
  {
    const c10::NoGradGuard no_grad;
    generator->state().at("classifier.weight").abs_();  // each class is active
  }
  term(step(*generator), "suppression").backward();
  const NamedTensors state = generator->state();
  EXPECT_GT(state.at("map_classifier.weight").grad().abs().sum().item<double>(), 0.0);
  EXPECT_FALSE(state.at("classifier.weight").grad().defined());
  for (const auto& [name, parameter] : generator->named_parameters()) {
    if (name.starts_with("backbone.stage5")) {
      EXPECT_FALSE(parameter.grad().defined()) << name;
    }
  }
}

TEST_F(BasTest, GroupsEachPresentClassWithTheAbsentOnes) {
  ModelContext context = contract_context(run_, 3, false);
  context.backbone = std::make_shared<GivenFeatures>(3);
  const auto generator =
      make<SeedGenerator>(MethodKind::seed_generator, "bas", context, {{"map_tap", std::string("final")}});
  generator->load_state({{"classifier.weight", at::eye(3).view({3, 3, 1, 1})}});
  StepRequest one = request(at::tensor({1, 0, 1}).to(at::kBool).view({1, 3}));
  one.streams["main"]["main"].images_nchw = at::tensor({2.0f, 1.0f, 0.0f}).view({1, 3, 1, 1});
  EXPECT_NEAR(term(generator->trainable()->training_step(one), "classification").item<double>(), 1.626523, 1e-5);
}

TEST_F(BasTest, TheErasedPassLeavesNoTraceInStatistics) {
  const auto generator = bas({{"batch_norm", std::string("batch")}});
  step(*generator);
  for (const auto& [name, buffer] : generator->state()) {
    if (name.ends_with("num_batches_tracked")) {
      EXPECT_EQ(buffer.item<std::int64_t>(), 1) << name;
    }
  }
}

TEST_F(BasTest, LeavesBiasesOutOnRequest) {
  const auto group_names = [&](const ParameterValues& parameters) {
    std::set<std::string> found;
    for (const ParameterGroup& group : bas(parameters)->trainable()->parameter_groups()) found.insert(group.name);
    return found;
  };
  const auto generator = bas({{"train_biases", false}});
  for (const auto& [name, parameter] : generator->named_parameters()) {
    EXPECT_EQ(parameter.requires_grad(), !name.ends_with("bias")) << name;
  }
  EXPECT_THAT(group_names({}), ::testing::Contains("pretrained_norm"));
}

TEST_F(BasTest, DrawsAPresentClassFromItsGenerator) {
  const auto generator = bas();
  const at::Tensor present = at::tensor({1, 0, 1}).to(at::kBool).view({1, 3});
  std::set<double> areas;
  double first = 0;
  for (int i = 0; i < 20; ++i) {
    const double area = term(generator->trainable()->training_step(request(present)), "area").item<double>();
    if (i == 0) first = area;
    areas.insert(area);
  }
  EXPECT_THAT(areas, SizeIs(2)) << "one for each present class";
  run_.generator().set_current_seed(5);
  const double one = term(generator->trainable()->training_step(request(present)), "area").item<double>();
  run_.generator().set_current_seed(5);
  EXPECT_EQ(term(generator->trainable()->training_step(request(present)), "area").item<double>(), one);
  EXPECT_TRUE(areas.contains(first));
}

TEST_F(BasTest, ImagesWithoutAClassTakeNoPartInTheMaps) {
  const auto generator = bas({}, "group");
  at::Tensor present = at::zeros({2, 3}, at::kBool);
  const LossTerms none = generator->trainable()->training_step(request(present));
  EXPECT_EQ(term(none, "area").item<double>(), 0.0);
  EXPECT_TRUE(term(none, "area").requires_grad());
  present[0][1] = true;
  const LossTerms one = generator->trainable()->training_step(request(present));
  const LossTerms alone = generator->trainable()->training_step(request(present.slice(0, 0, 1)));
  EXPECT_THAT(term(one, "area"), all_close(term(alone, "area"), 1e-5));
}

TEST_F(BasTest, AddsTheMapsAskedFor) {
  const at::Tensor images = contract_images(2, 48, 48);
  EXPECT_THAT(generate(*bas({{"fuse_cam", std::string("none")}}), images).added_nchw, SizeIs(0));
  const auto own = generate(*bas(), images);
  ASSERT_THAT(own.added_nchw, SizeIs(1));
  EXPECT_THAT(own.added_nchw[0], has_shape({2, 3, 6, 6}));
}

TEST_F(BasTest, AddsACamThatWasTrainedApart) {
  const at::Tensor images = contract_images(2, 48, 48);
  ModelContext context = contract_context(run_, 3);
  const auto cam = make<SeedGenerator>(MethodKind::seed_generator, "cam", context, {});
  run_.tensors = cam->state();
  context.backbone = small_cnn("group");
  context.uses["cam_backbone"].backbone = contract_context(run_, 3).backbone;  // of the CAM's kind
  const ParameterValues parameters{{"fuse_cam", std::string("separate")},
                                   {"cam_weights", std::string("cam.safetensors")}};
  const auto generator = make<SeedGenerator>(MethodKind::seed_generator, "bas", context, parameters);
  const SeedResult result = generate(*generator, images);
  ASSERT_THAT(result.added_nchw, SizeIs(1));
  EXPECT_THAT(result.added_nchw[0], all_close(generate(*cam, images).maps.scores_nphw, 1e-5, 1e-5));
  EXPECT_FALSE(generator->state().contains("cam_backbone.stage1.conv1.weight"));

  const auto refused = [&](const char* words) {
    EXPECT_THAT([&] { make<SeedGenerator>(MethodKind::seed_generator, "bas", context, parameters); },
                ThrowsMessage<UserError>(HasSubstr(words)));
  };
  run_.tensors["backbone.extra"] = at::zeros({1});
  refused("`extra`");
  run_.tensors.erase("backbone.extra");
  run_.tensors["classifier.weight"] = at::zeros({4, 2, 1, 1});
  refused("`classifier.weight` is not");
  run_.tensors.erase("classifier.weight");
  refused("no `classifier.weight`");
  context.uses.clear();
  refused("trained apart needs its network");
}

TEST_F(BasTest, RefusesWhatCannotWork) {
  EXPECT_THAT([&] { bas({{"map_kernel", std::int64_t{2}}}); }, ThrowsMessage<UserError>(HasSubstr("`2`")));
  EXPECT_THAT([&] { bas({{"map_tap", std::string("stage9")}}); }, ThrowsMessage<UserError>(HasSubstr("`stage9`")));
  ModelContext context = contract_context(run_, 2, false);
  context.backbone = std::make_shared<TinyBackbone>(run_.generator());
  EXPECT_THAT(
      [&] {
        make<SeedGenerator>(MethodKind::seed_generator, "bas", context, {{"map_tap", std::string("block.0")}});
      },
      ThrowsMessage<UserError>(HasSubstr("`block.0`")));
}

}  // namespace
}  // namespace seedbed::testing
