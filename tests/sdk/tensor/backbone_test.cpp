#include "seedbed/backbone.hpp"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "doubles.hpp"
#include "support/formula_tensors.hpp"
#include "support/tensor_matchers.hpp"

namespace seedbed {
namespace {

using testing::all_close;
using ::testing::AllOf;
using testing::equals_tensor;
using testing::formula_input;
using testing::has_shape;
using ::testing::HasSubstr;
using ::testing::Throws;
using ::testing::ThrowsMessage;

class BackboneTest : public ::testing::Test {
 protected:
  ForwardRequest request() const {
    ForwardRequest request;
    request.images_nchw = formula_input("images", {2, 3, 17, 12});
    return request;
  }
  testing::TinyBackbone backbone_{testing::generator()};
};

TEST_F(BackboneTest, FindsTapsByNameAliasAndNegativeBlock) {
  EXPECT_EQ(find_tap(backbone_, "stage2").channels, 8);
  EXPECT_EQ(find_tap(backbone_, "relu1").name, "stage1");
  EXPECT_EQ(find_tap(backbone_, "block.-1").name, "block.0");
  EXPECT_THAT([&] { find_tap(backbone_, "stage3"); },
              ThrowsMessage<UserError>(AllOf(HasSubstr("`stage3`"), HasSubstr("nearest: `stage"))));
  EXPECT_THAT([&] { find_tap(backbone_, "block.-2"); }, Throws<UserError>());
  EXPECT_THAT([&] { find_tap(backbone_, ""); }, ThrowsMessage<UserError>(HasSubstr("accepted: `stage1`")));
}

TEST_F(BackboneTest, RefusesWhatItCannotServe) {
  ForwardRequest unknown = request();
  unknown.keep = {"fianl"};
  EXPECT_THAT([&] { backbone_.forward(unknown); }, ThrowsMessage<UserError>(HasSubstr("nearest: `final`")));
  ForwardRequest small = request();
  small.images_nchw = at::zeros({1, 3, 7, 20});
  EXPECT_THAT([&] { backbone_.forward(small); },
              ThrowsMessage<UserError>(AllOf(HasSubstr("`7 x 20`"), HasSubstr("at least `8`"))));
  EXPECT_THAT([&] { backbone_.forward({}); }, ThrowsMessage<ContractError>(HasSubstr("images or the value of a tap")));
  ForwardRequest bytes = request();
  bytes.images_nchw = at::zeros({1, 3, 16, 16}, at::kByte);
  EXPECT_THAT([&] { backbone_.forward(bytes); }, ThrowsMessage<ContractError>(HasSubstr("float32")));
}

TEST_F(BackboneTest, StartsBehindATap) {
  ForwardRequest whole = request();
  whole.keep = {"stage1", "final"};
  const ForwardResult result = backbone_.forward(whole);
  ForwardRequest rest;
  rest.from = FromTap{"stage1", result.taps.at("stage1")};
  EXPECT_THAT(backbone_.forward(rest).taps.at("final"), equals_tensor(result.taps.at("final")));
}

TEST_F(BackboneTest, HandsEverySiteToTheRewriter) {
  struct Recorder : SiteRewriter {
    at::Tensor rewrite(const Site& site, const at::Tensor& input,
                       const std::function<at::Tensor(const at::Tensor&)>& original) override {
      seen.push_back(site.name);
      return site.kind == suppressed ? at::zeros_like(original(input)) : original(input);
    }
    std::vector<std::string> seen;
    std::string suppressed;
  } rewriter;
  ForwardRequest rewritten = request();
  rewritten.rewriter = &rewriter;
  EXPECT_THAT(backbone_.forward(rewritten).taps.at("final"),
              equals_tensor(backbone_.forward(request()).taps.at("final")));
  EXPECT_THAT(rewriter.seen, ::testing::ElementsAre("conv1", "relu1", "conv2", "relu2"));
  rewriter.suppressed = "activation";
  rewritten.keep = {"stage2"};
  EXPECT_EQ(backbone_.forward(rewritten).taps.at("stage2").abs().max().item<float>(), 0);
}

TEST_F(BackboneTest, ReplacesHowConvolutionsAreComputed) {
  struct Absolute : ConvolutionRule {
    at::Tensor convolve(const Site& site, const at::Tensor& input, const at::Tensor& weight, const at::Tensor& bias,
                        const ConvolutionShape& shape) override {
      EXPECT_EQ(site.kind, "convolution");
      return at::conv2d(input, weight.abs(), bias, shape.stride, shape.padding, shape.dilation, shape.groups);
    }
  } rule;
  ForwardRequest changed = request();
  changed.keep = {"stage1"};
  const at::Tensor plain = backbone_.forward(changed).taps.at("stage1");
  changed.convolution = &rule;
  EXPECT_FALSE(at::equal(backbone_.forward(changed).taps.at("stage1"), plain));
}

TEST_F(BackboneTest, ClonesValuesAndStandsApart) {
  backbone_.train(true);
  const auto copy = backbone_.clone();
  EXPECT_TRUE(copy->is_training());
  EXPECT_THAT(copy->forward(request()).taps.at("final"), equals_tensor(backbone_.forward(request()).taps.at("final")));
  const c10::NoGradGuard no_grad;
  copy->state().at("conv1.weight").zero_();
  EXPECT_GT(backbone_.state().at("conv1.weight").abs().max().item<float>(), 0);
}

TEST_F(BackboneTest, HasDefaults) {
  EXPECT_EQ(backbone_.size_multiple_px(), 1);
  EXPECT_EQ(backbone_.text_tower(), nullptr);
  EXPECT_THAT([&] { backbone_.reference_logits({}); }, ThrowsMessage<UserError>(HasSubstr("no classifier")));
  NamedTensors weights = backbone_.state();
  weights.erase("conv1.bias");
  EXPECT_THAT(backbone_.load_weights(weights).missing, ::testing::ElementsAre("conv1.bias"));
}

TEST_F(BackboneTest, TellsWhichBlocksAndExportsThereAre) {
  ForwardRequest planned = request();
  AttentionBlockPlan& plan = planned.attention.blocks.emplace_back();
  plan.blocks = {1};
  EXPECT_THAT([&] { backbone_.forward(planned); }, ThrowsMessage<UserError>(HasSubstr("`1`")));
  plan.blocks = {-2};
  EXPECT_THAT([&] { backbone_.forward(planned); }, ThrowsMessage<UserError>(HasSubstr("`-2`")));
  plan.blocks = {0, -1};
  EXPECT_THAT([&] { backbone_.forward(planned); }, ThrowsMessage<ContractError>(HasSubstr("at most once")));
  plan.blocks = {0};
  plan.exports = {"softmax"};
  EXPECT_THAT([&] { backbone_.forward(planned); }, ThrowsMessage<ContractError>(HasSubstr("`softmax`")));
  EXPECT_THAT([&] { backbone_.token_layout(8, 8); }, ThrowsMessage<UserError>(HasSubstr("no tokens")));
}

TEST(AttentionBlockPlan, KnowsWhetherItChangesAnything) {
  AttentionBlockPlan plan;
  plan.exports = {"soft"};
  EXPECT_FALSE(plan.changes());
  EXPECT_TRUE(plan.wants("soft"));
  EXPECT_FALSE(plan.wants("raw"));
  plan.feed_forward = false;
  EXPECT_TRUE(plan.changes());
  EXPECT_FALSE(plan.changes_map());
  plan.terms = {{'v', 'v'}};
  EXPECT_TRUE(plan.changes_map());
}

TEST(CellsOf, LeavesOutTokensWithoutCells) {
  const at::Tensor tokens = at::arange(2 * 8 * 3, at::kFloat).view({2, 8, 3});
  const TokenLayout layout{.class_tokens = 1, .other_tokens = 1, .height = 2, .width = 3};
  const at::Tensor map = cells_of(tokens, layout);
  EXPECT_THAT(map, has_shape({2, 3, 2, 3}));
  EXPECT_EQ(map[1][2][1][0].item<float>(), tokens[1][2 + 3][2].item<float>());
  EXPECT_THAT([&] { cells_of(tokens.slice(1, 1), layout); }, ThrowsMessage<ContractError>(HasSubstr("`7` tokens")));
  EXPECT_THAT([&] { cells_of(tokens[0], layout); }, ThrowsMessage<ContractError>(HasSubstr("2 dimensions")));
}

TEST(NormaliseImages, FollowsTheReferenceSteps) {
  at::Tensor image = at::zeros({1, 2, 2, 3}, at::kByte);
  image[0][0][1] = at::tensor({255, 128, 1}, at::kByte);
  const at::Tensor normal = normalise_images(image, Normalisation{});
  EXPECT_THAT(normal, has_shape({1, 3, 2, 2}));
  EXPECT_TRUE(normal.is_contiguous());
  EXPECT_NEAR(normal[0][0][0][1].item<double>(), (1.0 - 0.485) / 0.229, 1e-6);
  EXPECT_NEAR(normal[0][2][0][1].item<double>(), (1.0 / 255 - 0.406) / 0.225, 1e-6);

  const Normalisation caffe{{104, 117, 123}, {1, 1, 1}, 1.0, true};
  const at::Tensor bgr = normalise_images(image, caffe)[0];
  EXPECT_THAT(bgr.select(1, 0).select(1, 1), all_close(at::tensor({1.0f - 104, 128.0f - 117, 255.0f - 123}), 0));
}

}  // namespace
}  // namespace seedbed
