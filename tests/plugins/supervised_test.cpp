#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <gmock/gmock.h>

#include "contract/methods_under_test.hpp"
#include "seedbed/loss.hpp"
#include "seedbed/segmentation_head.hpp"
#include "seedbed/training_strategy.hpp"

namespace seedbed::testing {
namespace {

using ::testing::DoubleNear;
using ::testing::ElementsAre;
using ::testing::Pair;

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

}  // namespace
}  // namespace seedbed::testing
