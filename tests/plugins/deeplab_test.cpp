#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <gmock/gmock.h>

#include "contract/given_taps.hpp"
#include "contract/methods_under_test.hpp"
#include "seedbed/segmentation_head.hpp"
#include "support/tensor_matchers.hpp"

namespace seedbed::testing {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Key;
using ::testing::Not;
using ::testing::Property;
using ::testing::Throws;

constexpr std::int64_t kNumLabels = 3;

class DeepLabTest : public ::testing::Test {
 protected:
  DeepLabTest() : context_(contract_context(run_, kNumLabels - 1, false)) {
    context_.backbone = std::make_shared<GivenTaps>(std::vector<TapInfo>{{"stage2", {"layer1"}, 6, 4.0, false},
                                                                         {"stage4", {"layer3"}, 8, 16.0, false},
                                                                         {"block.0", {}, 8, 0.0, true},
                                                                         {"final", {"layer4"}, 10, 16.0, false}});
    context_.output_channels = kNumLabels;
  }

  std::shared_ptr<SegmentationHead> head(const std::string& id, const ParameterValues& parameters = {}) {
    return make<SegmentationHead>(MethodKind::segmentation_head, id, context_, parameters);
  }

  HeadRequest request(const SegmentationHead& head, std::int64_t n = 2) {
    HeadRequest asked{{}, 64, 96, &run_};
    for (const std::string& tap : head.wanted_taps()) {
      const bool early = tap == "stage2";
      asked.taps[tap] = at::randn({n, find_tap(*context_.backbone, tap).channels, early ? 16 : 4, early ? 24 : 6},
                                  testing::generator());
    }
    return asked;
  }

  FakeRun run_;
  ModelContext context_;
};

TEST_F(DeepLabTest, AddsTheLogitsOfItsDilations) {
  const auto made = head("aspp", {{"atrous_rates", std::vector<std::int64_t>{1, 3}}});
  const NamedTensors state = made->state();
  EXPECT_EQ(state.size(), 4U);
  const HeadRequest asked = request(*made);
  const at::Tensor map = asked.taps.at("final");
  const at::Tensor wanted = at::conv2d(map, state.at("c0.weight"), state.at("c0.bias"), 1, 1, 1) +
                            at::conv2d(map, state.at("c1.weight"), state.at("c1.bias"), 1, 3, 3);
  EXPECT_THAT(made->forward(asked).logits_nkhw, all_close(wanted, 1e-5, 1e-5));
  EXPECT_THAT(head("aspp", {{"bias", false}})->state(), Not(Contains(Key("c0.bias"))));
}

TEST_F(DeepLabTest, StartsDeepLabV2SmallAndWithoutBias) {
  const NamedTensors state = head("deeplab_v2")->state();
  EXPECT_EQ(state.size(), 8U);
  for (const char* branch : {"c0", "c1", "c2", "c3"}) {
    EXPECT_NEAR(state.at(std::string(branch) + ".weight").std().item<double>(), 0.01, 0.002);
    EXPECT_EQ(state.at(std::string(branch) + ".bias").abs().max().item<double>(), 0.0);
  }
}

TEST_F(DeepLabTest, HasVgg16sThreeLayersInABranch) {
  const auto made = head("deeplab_v2", {{"width", std::int64_t{7}}, {"atrous_rates", std::vector<std::int64_t>{2, 4}}});
  const NamedTensors state = made->state();
  const HeadRequest asked = request(*made);
  at::Tensor wanted = at::zeros({2, kNumLabels, 4, 6});
  std::int64_t rate = 0;
  for (const std::string branch : {"c0.", "c1."}) {
    rate += 2;
    const auto layer = [&](const at::Tensor& input, const std::string& name, std::int64_t dilation) {
      const std::int64_t padding = dilation * (state.at(branch + name + ".weight").size(2) / 2);
      return at::conv2d(input, state.at(branch + name + ".weight"), state.at(branch + name + ".bias"), 1, padding,
                        dilation);
    };
    const at::Tensor hidden = layer(asked.taps.at("final"), "fc6", rate).relu();
    wanted = wanted + layer(layer(hidden, "fc7", 1).relu(), "fc8", 1);
  }
  EXPECT_THAT(made->forward(asked).logits_nkhw, all_close(wanted, 1e-5, 1e-5));
  made->train(true);  // dropout
  EXPECT_FALSE(at::equal(made->forward(asked).logits_nkhw, made->forward(asked).logits_nkhw));
}

TEST_F(DeepLabTest, GivesAuxiliaryLogitsWhereAsked) {
  const auto plain = head("deeplab_v3", {{"width", std::int64_t{8}}});
  EXPECT_THAT(plain->wanted_taps(), ElementsAre("final"));
  EXPECT_TRUE(plain->forward(request(*plain)).auxiliary_logits.empty());

  const auto both = head("deeplab_v3", {{"width", std::int64_t{8}}, {"auxiliary", true}});
  EXPECT_THAT(both->wanted_taps(), ElementsAre("final", "stage4"));
  EXPECT_THAT(both->state().at("aux_classifier.0.weight"), has_shape({2, 8, 3, 3}));  // a quarter of its tap
  const HeadResult result = both->forward(request(*both));
  ASSERT_EQ(result.auxiliary_logits.size(), 1U);
  EXPECT_THAT(result.auxiliary_logits.front(), has_shape({2, kNumLabels, 4, 6}));
}

TEST_F(DeepLabTest, SeesTheWholeImageThroughItsPooling) {
  const auto made = head("deeplab_v3", {{"width", std::int64_t{8}}, {"atrous_rates", std::vector<std::int64_t>{1}}});
  HeadRequest asked{{{"final", at::zeros({1, 10, 9, 9})}}, 144, 144, &run_};
  const at::Tensor before = made->forward(asked).logits_nkhw;
  asked.taps.at("final").select(2, 0).select(2, 0).fill_(50.0);
  const at::Tensor after = made->forward(asked).logits_nkhw;
  // Nothing but the average reaches from one corner to the other.
  EXPECT_FALSE(at::equal(before.select(2, 8).select(2, 8), after.select(2, 8).select(2, 8)));
}

TEST_F(DeepLabTest, DecodesAtTheEarlyTapsResolution) {
  const auto made = head("deeplab_v3_plus", {{"width", std::int64_t{8}}});
  EXPECT_THAT(made->wanted_taps(), ElementsAre("stage2", "final"));
  EXPECT_THAT(made->state().at("classifier.6.weight"), has_shape({kNumLabels, 8, 1, 1}));
  EXPECT_THAT(made->state().at("project.0.weight"), has_shape({48, 6, 1, 1}));
  const HeadRequest asked = request(*made);
  const at::Tensor logits = made->forward(asked).logits_nkhw;
  EXPECT_THAT(logits, has_shape({2, kNumLabels, 16, 24}));
  HeadRequest other = asked;
  other.taps.at("stage2") = other.taps.at("stage2") + 1.0;
  EXPECT_FALSE(at::equal(made->forward(other).logits_nkhw, logits));
  const auto one = head("deeplab_v3_plus", {{"width", std::int64_t{8}}, {"decoder_convolutions", std::int64_t{1}}});
  EXPECT_THAT(one->state(), Contains(Key("classifier.3.bias")));
}

TEST_F(DeepLabTest, SaysThatOneImageHasNoStatistics) {
  for (const char* id : {"deeplab_v3", "deeplab_v3_plus"}) {
    const auto made = head(id, {{"width", std::int64_t{8}}});
    const HeadRequest alone = request(*made, 1);
    EXPECT_THAT(made->forward(alone).logits_nkhw.sum(), has_shape({}));
    made->train(true);
    EXPECT_THAT([&] { made->forward(alone); }, Throws<UserError>(Property(&UserError::where, "train.batch_size")));
  }
}

TEST_F(DeepLabTest, NamesTheParameterOfAWrongTap) {
  const auto refused = [&](const std::string& id, const std::string& parameter, const std::string& tap,
                           const std::string& hint) {
    ParameterValues parameters{{parameter, tap}};
    if (parameter == "auxiliary_tap") parameters["auxiliary"] = true;
    EXPECT_THAT([&] { head(id, parameters); }, Throws<UserError>(AllOf(Property(&UserError::where, parameter),
                                                                       Property(&UserError::hint, HasSubstr(hint)))));
  };
  for (const char* id : {"aspp", "deeplab_v2", "deeplab_v3", "deeplab_v3_plus", "linear", "large_fov"}) {
    refused(id, "tap", "fina", "nearest: `final`");
    refused(id, "tap", "block.0", "`stage2`, `stage4`, `final`");
  }
  refused("deeplab_v3", "auxiliary_tap", "stage3", "nearest: `stage");
  refused("deeplab_v3_plus", "low_level_tap", "layer2", "nearest: `layer");
}

}  // namespace
}  // namespace seedbed::testing
