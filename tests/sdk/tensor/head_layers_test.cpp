// What segmentation heads are made of.
#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <gmock/gmock.h>

#include "doubles.hpp"
#include "seedbed/error.hpp"
#include "seedbed/fcn_classifier.hpp"
#include "seedbed/fine_tuning_parameters.hpp"
#include "seedbed/map_tap.hpp"
#include "seedbed/normed_convolution.hpp"
#include "support/tensor_matchers.hpp"

namespace seedbed {
namespace {

using testing::all_close;
using ::testing::AllOf;
using ::testing::Contains;
using testing::has_shape;
using ::testing::HasSubstr;
using ::testing::Key;
using ::testing::Not;
using ::testing::Property;
using ::testing::Throws;
using ::testing::ThrowsMessage;

class NormedConvolutionTest : public ::testing::Test {
 protected:
  NormedConvolutionTest()
      : unit_({.in_channels = 3, .out_channels = 5, .kernel = 3, .padding = 1, .bias = true}, testing::generator()) {
    unit_.register_in(owner_, "conv", "bn");
    NamedTensors state = owner_.state();
    state.at("bn.running_mean").uniform_(-1, 1, testing::generator());
    state.at("bn.running_var").uniform_(0.5, 2, testing::generator());
    const c10::NoGradGuard no_grad;
    state.at("bn.weight").uniform_(0.5, 2, testing::generator());
    state.at("bn.bias").uniform_(-1, 1, testing::generator());
  }

  // The same by the definition.
  at::Tensor by_hand(const at::Tensor& input) {
    const NamedTensors state = owner_.state();
    const auto channel = [&](const char* name) { return state.at(name).view({1, -1, 1, 1}); };
    const at::Tensor convolved = at::conv2d(input, state.at("conv.weight"), {}, 1, 1);
    return ((convolved - channel("bn.running_mean")) / (channel("bn.running_var") + 1e-5).sqrt() *
                channel("bn.weight") +
            channel("bn.bias"))
        .relu();
  }

  NamedModules owner_;
  NormedConvolution unit_;
};

TEST_F(NormedConvolutionTest, NormsAndRectifiesWithoutBias) {
  EXPECT_THAT(owner_.state(), Not(Contains(Key("conv.bias"))));
  const at::Tensor input = at::randn({2, 3, 6, 7}, testing::generator());
  EXPECT_THAT(unit_.forward(input), all_close(by_hand(input), 1e-5, 1e-5));
  const c10::NoGradGuard no_grad;
  EXPECT_THAT(unit_.forward(input), all_close(by_hand(input), 1e-5, 1e-5));
}

TEST_F(NormedConvolutionTest, GoesByTheBatchInTraining) {
  owner_.train(true);
  const at::Tensor before = owner_.state().at("bn.running_mean").clone();
  const at::Tensor output = unit_.forward(at::randn({2, 3, 6, 7}, testing::generator()));
  EXPECT_FALSE(at::equal(owner_.state().at("bn.running_mean"), before));
  output.sum().backward();
  EXPECT_TRUE(owner_.state().at("conv.weight").grad().defined());
}

TEST_F(NormedConvolutionTest, RefusesToTrainOnOneValueAChannel) {
  const at::Tensor cell = at::ones({1, 3, 1, 1});
  EXPECT_THAT(unit_.forward(cell), has_shape({1, 5, 1, 1}));
  owner_.train(true);
  EXPECT_THAT([&] { unit_.forward(cell); },
              Throws<UserError>(AllOf(Property(&UserError::where, "train.batch_size"),
                                      Property(&UserError::message, HasSubstr("one value a channel")))));
}

TEST(FcnClassifier, HasTorchvisionsNames) {
  FcnClassifier classifier(8, 2, 5, 0.5, testing::generator());
  EXPECT_THAT(classifier.state().at("0.weight"), has_shape({2, 8, 3, 3}));
  EXPECT_THAT(classifier.state().at("1.running_var"), has_shape({2}));
  EXPECT_THAT(classifier.state().at("4.bias"), has_shape({5}));
  const at::Tensor map = at::randn({2, 8, 4, 3}, testing::generator());
  EXPECT_THAT(classifier.forward(map, testing::generator()), has_shape({2, 5, 4, 3}));
}

TEST(FindMapTap, NamesTheParameterAndTheNearestTap) {
  const testing::TinyBackbone backbone(testing::generator());
  EXPECT_EQ(find_map_tap(backbone, "relu1", "tap").name, "stage1");
  EXPECT_THAT([&] { find_map_tap(backbone, "stag2", "low_level_tap"); },
              Throws<UserError>(AllOf(Property(&UserError::where, "low_level_tap"),
                                      Property(&UserError::hint, HasSubstr("nearest: `stage2`")))));
  EXPECT_THAT([&] { find_map_tap(backbone, "block.-1", "tap"); },
              Throws<UserError>(AllOf(Property(&UserError::message, HasSubstr("`block.0`")),
                                      Property(&UserError::hint, HasSubstr("`stage1`, `stage2`, `final`")))));
}

struct WithBiases {
  std::string freeze_backbone = "stage2";
  std::string batch_norm = "batch";
  double new_learning_rate_factor = 3;
  double bias_learning_rate_factor = 4;
  double bias_weight_decay_factor = 5;
};

struct WithoutBiases {
  std::string freeze_backbone = "all";
  std::string batch_norm = "running";
  double new_learning_rate_factor = 3;
};

TEST(FineTuningOptions, AreReadFromParameters) {
  const FineTuningOptions all = fine_tuning_options(WithBiases{});
  EXPECT_EQ(all.freeze_backbone, "stage2");
  EXPECT_TRUE(all.batch_statistics);
  EXPECT_EQ(all.new_learning_rate_factor, 3);
  EXPECT_EQ(all.bias_learning_rate_factor, 4);
  EXPECT_EQ(all.bias_weight_decay_factor, 5);
  const FineTuningOptions some = fine_tuning_options(WithoutBiases{});
  EXPECT_FALSE(some.batch_statistics);
  EXPECT_EQ(some.bias_learning_rate_factor, 1);
  EXPECT_EQ(some.bias_weight_decay_factor, 1);
}

}  // namespace
}  // namespace seedbed
