#include <algorithm>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <gmock/gmock.h>

#include "contract/methods_under_test.hpp"
#include "seedbed/kernels/label_resize.hpp"
#include "seedbed/loss.hpp"
#include "seedbed/segmentation_head.hpp"
#include "seedbed/training_strategy.hpp"
#include "support/tensor_matchers.hpp"

namespace seedbed::testing {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::Pair;
using ::testing::Property;
using ::testing::Throws;

// Its logits, twice more as auxiliary outputs.
class ThreefoldHead : public SegmentationHead {
 public:
  explicit ThreefoldHead(std::shared_ptr<SegmentationHead> head) : head_(register_module("head", std::move(head))) {}
  std::vector<std::string> wanted_taps() const override { return head_->wanted_taps(); }
  HeadResult forward(const HeadRequest& request) override {
    HeadResult result = head_->forward(request);
    result.auxiliary_logits = {result.logits_nkhw, result.logits_nkhw};
    return result;
  }

 private:
  std::shared_ptr<SegmentationHead> head_;
};

// Keeps what it is asked; of taps alone, with a layer of its own.
class TapLoss : public Loss {
 public:
  TapLoss() : scale_(register_parameter("scale", at::ones({1}))) {}
  std::vector<std::string> needs() const override { return {"target", "tap:stage2"}; }
  at::Tensor compute(const LossRequest& request) override {
    asked.push_back(request);
    return (request.taps.at("stage2") * scale_).square().mean();
  }
  std::vector<LossRequest> asked;

 private:
  at::Tensor scale_;
};

// Keeps what it is asked; of logits and of what lies over the labels.
class LogitLoss : public Loss {
 public:
  std::vector<std::string> needs() const override { return {"logits", "target", "companion:saliency"}; }
  at::Tensor compute(const LossRequest& request) override {
    asked.push_back(request);
    return request.logits.square().mean();
  }
  std::vector<LossRequest> asked;
};

class SupervisedTest : public ::testing::Test {
 protected:
  SupervisedTest() : context_(contract_context(run_, 2)) {
    context_.output_channels = 3;
    context_.head = make<SegmentationHead>(MethodKind::segmentation_head, "linear", context_);
    context_.losses = {{"first", 0.5, make<Loss>(MethodKind::loss, "cross_entropy", context_)},
                       {"second", 2.0, make<Loss>(MethodKind::loss, "cross_entropy", context_)}};
  }

  std::shared_ptr<TrainingStrategy> supervised(const ParameterValues& parameters = {}) {
    return make<TrainingStrategy>(MethodKind::training_strategy, "supervised", context_, parameters);
  }

  // The label of a pixel follows from the sign of its first channel.
  StepRequest step() {
    ViewBatch batch;
    batch.images_nchw = contract_images(2, 32, 40);
    batch.target_nhw = batch.images_nchw.select(1, 0).gt(0).to(at::kLong);
    StepRequest request;
    request.streams["main"]["main"] = batch;
    request.run = &run_;
    return request;
  }

  // What backbone and head make of images.
  at::Tensor logits(const at::Tensor& images) {
    ForwardRequest request;
    request.images_nchw = images;
    request.keep = context_.head->wanted_taps();
    request.run = &run_;
    return context_.head->forward({context_.backbone->forward(request).taps, images.size(2), images.size(3), &run_})
        .logits_nkhw;
  }

  static std::map<std::string, double> values(const LossTerms& terms) {
    std::map<std::string, double> values;
    for (const auto& [name, value] : terms) values[name] = value.item<double>();
    return values;
  }

  FakeRun run_;
  ModelContext context_;
};

TEST_F(SupervisedTest, WeighsEachLossByItsName) {
  const auto found = values(supervised()->training_step(step()));
  EXPECT_NEAR(found.at("second"), 4.0 * found.at("first"), 1e-5);
}

TEST_F(SupervisedTest, LeavesOutATermThatIsSwitchedOff) {
  StepRequest request = step();
  request.term_weight = [](std::string_view term) { return term == "first" ? 0.0 : 1.0; };
  EXPECT_THAT(values(supervised()->training_step(request)), ElementsAre(Pair("second", ::testing::Gt(0.0))));
}

TEST_F(SupervisedTest, AddsAuxiliaryOutputsWithTheirWeight) {
  const double plain = values(supervised()->training_step(step())).at("first");
  context_.head = std::make_shared<ThreefoldHead>(context_.head);
  const double with_auxiliary = values(supervised({{"auxiliary_weight", 0.25}})->training_step(step())).at("first");
  EXPECT_NEAR(with_auxiliary, 1.5 * plain, 1e-5);
}

TEST_F(SupervisedTest, FitsWhatItIsShown) {
  const auto strategy = supervised();
  strategy->train(true);
  double first = 0, last = 0;
  for (int i = 0; i < 40; ++i) {
    const at::Tensor loss = strategy->training_step(step()).front().second;
    last = loss.item<double>();
    if (i == 0) first = last;
    loss.backward();
    const c10::NoGradGuard no_grad;
    for (const ParameterGroup& group : strategy->parameter_groups()) {
      for (at::Tensor parameter : group.parameters) {
        parameter.sub_(parameter.grad(), 0.1 * group.learning_rate_factor);
        parameter.mutable_grad().reset();
      }
    }
  }
  EXPECT_LT(last, 0.8 * first);
}

TEST_F(SupervisedTest, FreezesAsFarAsItIsTold) {
  for (const std::string cut : {"all", "stage2"}) {
    const auto strategy = supervised({{"freeze_backbone", cut}});
    strategy->train(true);
    EXPECT_EQ(context_.backbone->is_training(), cut != "all");
    strategy->training_step(step()).front().second.backward();
    EXPECT_FALSE(strategy->state().at("backbone.stage2.conv1.weight").grad().defined());
    EXPECT_EQ(strategy->state().at("backbone.stage3.conv1.weight").grad().defined(), cut != "all");
    strategy->set_requires_grad(true);
  }
}

TEST_F(SupervisedTest, LearnsAtSeveralScalesAndTheirLargest) {
  const StepRequest request = step();
  const at::Tensor& images = request.main().images_nchw;
  const at::Tensor whole = logits(images);
  // interpolate(scale_factor): sides rounded down, positions by the factor itself.
  const at::Tensor three_quarters = logits(at::upsample_bilinear2d(images, {24, 30}, false, 0.75, 0.75));
  const at::Tensor half = logits(at::upsample_bilinear2d(images, {16, 20}, false, 0.5, 0.5));
  const auto at_whole = [&](const at::Tensor& map) {
    return at::upsample_bilinear2d(map, whole.sizes().slice(2), false);
  };
  const at::Tensor largest = at::maximum(at::maximum(whole, at_whole(three_quarters)), at_whole(half));

  double wanted = 0;
  for (const at::Tensor& output : {whole, three_quarters, half, largest}) {
    const at::Tensor labels = kernels::resize_labels(request.main().target_nhw, output.size(2), output.size(3),
                                                     kernels::LabelSampling::centres);
    wanted += at::cross_entropy_loss(output, labels).item<double>();
  }
  const auto strategy =
      supervised({{"further_scales", std::vector<double>{0.75, 0.5}}, {"loss_resolution", std::string("logits")}});
  EXPECT_NEAR(values(strategy->training_step(request)).at("second"), 2.0 * wanted, 1e-4);

  const c10::NoGradGuard no_grad;
  EXPECT_THAT(strategy->predict(images, run_), all_close(largest, 1e-5, 1e-5));
  const auto single = supervised({{"further_scales", std::vector<double>{0.75, 0.5}}, {"fuse_predictions", false}});
  EXPECT_THAT(single->predict(images, run_), all_close(whole, 1e-5, 1e-5));
}

TEST_F(SupervisedTest, CountsAuxiliaryOutputsAtEachScale) {
  const ParameterValues scales{{"further_scales", std::vector<double>{0.5}}};
  const double plain = values(supervised(scales)->training_step(step())).at("first");
  const double whole = values(supervised()->training_step(step())).at("first");
  context_.head = std::make_shared<ThreefoldHead>(context_.head);
  ParameterValues with_auxiliary = scales;
  with_auxiliary["auxiliary_weight"] = 0.25;
  const double all = values(supervised(with_auxiliary)->training_step(step())).at("first");
  context_.head->train(false);
  // Two auxiliary outputs at each of two scales, none of the largest.
  const double half =
      0.5 *
      at::cross_entropy_loss(
          at::upsample_bilinear2d(logits(at::upsample_bilinear2d(step().main().images_nchw, {16, 20}, false, 0.5, 0.5)),
                                  {32, 40}, false),
          step().main().target_nhw)
          .item<double>();
  EXPECT_NEAR(all, plain + 0.5 * (whole + half), 1e-4);
}

TEST_F(SupervisedTest, RefusesAScaleThatLeavesNoPixel) {
  StepRequest request = step();
  ViewBatch& batch = request.streams.at("main").at("main");
  batch.images_nchw = contract_images(1, 32, 4);
  batch.target_nhw = at::zeros({1, 32, 4}, at::kLong);
  const auto strategy = supervised({{"further_scales", std::vector<double>{0.1}}});
  EXPECT_THAT([&] { strategy->training_step(request); },
              Throws<UserError>(Property(&UserError::where, "further_scales")));
}

TEST_F(SupervisedTest, GivesLossesLabelsAtTheCellsWhereAsked) {
  const auto loss = std::make_shared<LogitLoss>();
  context_.losses = {{"kept", 1.0, loss}};
  StepRequest request = step();
  ViewBatch& batch = request.streams.at("main").at("main");
  batch.companions["saliency"] = at::arange(2 * 32 * 40, at::kFloat).view({2, 1, 32, 40});
  batch.companions["other_size"] = at::ones({2, 1, 3, 3});
  const std::int64_t height = logits(batch.images_nchw).size(2), width = logits(batch.images_nchw).size(3);
  for (const auto& [name, sampling] : {std::pair{"centres", kernels::LabelSampling::centres},
                                       {"origins", kernels::LabelSampling::origins},
                                       {"corners", kernels::LabelSampling::corners}}) {
    supervised({{"loss_resolution", std::string("logits")}, {"label_sampling", std::string(name)}})
        ->training_step(request);
    const LossRequest& asked = loss->asked.back();
    EXPECT_THAT(asked.target_nhw, equals_tensor(kernels::resize_labels(batch.target_nhw, height, width, sampling)));
    EXPECT_THAT(
        asked.companions.at("saliency").squeeze(1),
        equals_tensor(kernels::resize_labels(batch.companions.at("saliency").squeeze(1), height, width, sampling)));
    EXPECT_THAT(asked.companions.at("other_size"), has_shape({2, 1, 3, 3}));
  }
  supervised()->training_step(request);
  EXPECT_THAT(loss->asked.back().target_nhw, equals_tensor(batch.target_nhw));
  EXPECT_THAT(loss->asked.back().companions.at("saliency"), has_shape({2, 1, 32, 40}));
}

TEST_F(SupervisedTest, AsksALossOfTapsOnceAndTrainsItsLayers) {
  const auto loss = std::make_shared<TapLoss>();
  context_.losses.push_back({"taps", 3.0, loss});
  const auto strategy =
      supervised({{"further_scales", std::vector<double>{0.5}}, {"loss_resolution", std::string("logits")}});
  strategy->train(true);
  const StepRequest request = step();
  LossTerms terms = strategy->training_step(request);
  ASSERT_EQ(loss->asked.size(), 1U);
  EXPECT_THAT(loss->asked.front().target_nhw, equals_tensor(request.main().target_nhw));
  terms.back().second.backward();
  const at::Tensor scale = strategy->state().at("losses.taps.scale");
  EXPECT_TRUE(scale.grad().defined());
  const auto groups = strategy->parameter_groups();
  const auto holds = [&](const ParameterGroup& group) {
    return group.name.starts_with("new") &&
           std::ranges::any_of(group.parameters, [&](const at::Tensor& parameter) { return parameter.is_same(scale); });
  };
  EXPECT_TRUE(std::ranges::any_of(groups, holds));
}

TEST_F(SupervisedTest, LeavesNormsAloneWhereAsked) {
  const auto names = [](TrainingStrategy& strategy) {
    std::vector<std::string> found;
    for (const ParameterGroup& group : strategy.parameter_groups()) found.push_back(group.name);
    return found;
  };
  context_.backbone = make<Backbone>(MethodKind::backbone, "small_cnn", context_,
                                     {{"width", std::int64_t{8}}, {"norm", std::string("batch")}});
  EXPECT_THAT(names(*supervised()), Contains("pretrained_norm"));
  const auto strategy = supervised({{"train_norms", false}});
  EXPECT_THAT(names(*strategy), Not(Contains("pretrained_norm")));
  EXPECT_THAT(names(*strategy), Contains("pretrained"));
}

// The published constants: deeplab-pytorch's configs/voc12.yaml and main.py.
TEST_F(SupervisedTest, HasDeepLabPytorchsRecipe) {
  const auto& presets = method_under_test(MethodKind::training_strategy, "supervised").manifest.presets;
  const auto preset = std::ranges::find(presets, "deeplab_v2", &Preset::name);
  ASSERT_NE(preset, presets.end());
  EXPECT_EQ(preset->variant, "released");
  const std::string& train = preset->host_tables.at("train");
  for (const char* constant :
       {R"("learning_rate":0.00025)", R"("momentum":0.9)", R"("weight_decay":0.0005)", R"("schedule":"poly")",
        R"("power":0.9)", R"("update_every":10)", R"("steps":20000)", R"("batch_size":5)", R"("accumulate":2)",
        R"("scale_of:bilinear_cv:down:0.5:0.75:1:1.25:1.5","crop:321:top_left","flip")"}) {
    EXPECT_THAT(train, HasSubstr(constant));
  }
  const auto strategy = supervised(preset->parameters);
  std::map<std::string, std::pair<double, double>> factors;
  for (const ParameterGroup& group : strategy->parameter_groups()) {
    factors[group.name] = {group.learning_rate_factor, group.weight_decay_factor};
  }
  EXPECT_THAT(factors.at("pretrained"), Pair(1.0, 1.0));
  EXPECT_THAT(factors.at("new"), Pair(10.0, 1.0));
  EXPECT_THAT(factors.at("new_bias"), Pair(20.0, 0.0));
  EXPECT_EQ(std::get<std::vector<double>>(preset->parameters.at("further_scales")), (std::vector<double>{0.75, 0.5}));
}

}  // namespace
}  // namespace seedbed::testing
