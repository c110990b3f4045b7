#include "plugin/weights_loading.hpp"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "seedbed/error.hpp"

namespace seedbed::plugin {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class Leaf : public Module {
 public:
  explicit Leaf(bool is_convolution) {
    if (is_convolution) {
      register_parameter("weight", at::zeros({2, 3}));
    } else {
      register_buffer("num_batches_tracked", at::zeros({}, at::kLong));
    }
  }
};

/// A backbone of two tensors that is never run.
class TwoTensors : public Backbone {
 public:
  TwoTensors() {
    register_module("conv", std::make_shared<Leaf>(true));
    register_module("norm", std::make_shared<Leaf>(false));
  }
  Normalisation normalisation() const override { return {}; }
  std::vector<TapInfo> taps() const override { return {}; }
  std::vector<Site> sites() const override { return {}; }
  ForwardResult forward(const ForwardRequest&) override { return {}; }
  std::shared_ptr<Backbone> clone() const override { return nullptr; }
};

std::string refusal(const NamedTensors& tensors, bool strict) {
  TwoTensors backbone;
  try {
    load_backbone_weights(backbone, tensors, strict, "vgg.pth");
  } catch (const UserError& error) {
    return error.where() + ": " + error.message();
  }
  return "they were taken";
}

TEST(BackboneWeights, AreTakenWithoutTheirClassifier) {
  TwoTensors backbone;
  const NamedTensors tensors{{"conv.weight", at::ones({2, 3})}, {"classifier.6.weight", at::ones({1000, 4096})}};
  EXPECT_THAT(load_backbone_weights(backbone, tensors, true, "vgg.pth"), ElementsAre("classifier.6.weight"));
  EXPECT_EQ(backbone.state().at("conv.weight").sum().item<float>(), 6.0f);
}

TEST(BackboneWeights, ListsWhatDoesNotFit) {
  EXPECT_THAT(refusal({{"conv.weight", at::ones({2, 3})}, {"conv.bias", at::ones({2})}}, true),
              HasSubstr("vgg.pth: The weights do not fit the backbone: left over: `conv.bias`."));
  EXPECT_THAT(refusal({{"conv.weight", at::ones({2, 4})}, {"norm.num_batches_tracked", at::ones({}, at::kLong)}}, true),
              HasSubstr("misshapen: `conv.weight"));
  EXPECT_THAT(refusal({}, true), HasSubstr("missing: `conv.weight`"));
}

TEST(BackboneWeights, WithoutStrictSomethingMustFitStill) {
  EXPECT_EQ(refusal({{"conv.weight", at::ones({2, 3})}, {"conv.bias", at::ones({2})}}, false), "they were taken");
  EXPECT_THAT(refusal({{"other", at::ones({2})}}, false), HasSubstr("do not fit"));
}

TEST(BackboneWeights, WithoutStrictWhatDoesNotFitIsListed) {
  TwoTensors backbone;
  const NamedTensors tensors{{"norm.num_batches_tracked", at::ones({}, at::kLong)},
                             {"conv.weight", at::ones({20, 3})},
                             {"fc.weight", at::ones({20, 2})}};
  EXPECT_THAT(load_backbone_weights(backbone, tensors, false, "vgg.pth"),
              ElementsAre("fc.weight", "conv.weight: `[20, 3]` in the file, `[2, 3]` in the module"));
  EXPECT_THAT(load_backbone_weights(backbone, {{"conv.weight", at::ones({2, 3})}}, false, "vgg.pth"), IsEmpty());
}

TEST(BackboneWeights, WhatTheFileLacksIsNew) {
  TwoTensors backbone;
  const at::Tensor counter = at::ones({}, at::kLong);
  load_backbone_weights(backbone, {{"conv.weight", at::ones({2, 3})}}, false, "vgg.pth");
  EXPECT_THAT(backbone.new_parameters(), IsEmpty());  // the counter is no parameter
  load_backbone_weights(backbone, {{"conv.weight", at::ones({4, 3})}, {"norm.num_batches_tracked", counter}}, false,
                        "vgg.pth");
  EXPECT_THAT(backbone.new_parameters(), ElementsAre("conv.weight"));
}

TEST(BackboneWeights, ComeOutOfAWholeModelsCheckpoint) {
  const NamedTensors whole{{"backbone.conv.weight", at::ones({2, 3})}, {"classifier.weight", at::ones({4})}};
  const NamedTensors part = backbone_part(whole);
  ASSERT_EQ(part.size(), 1u);
  EXPECT_TRUE(part.contains("conv.weight"));
  EXPECT_EQ(backbone_part({{"conv.weight", at::ones({1})}}).size(), 1u);
}

}  // namespace
}  // namespace seedbed::plugin
