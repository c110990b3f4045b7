#include "seedbed/transformer.hpp"

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
using ::testing::ElementsAre;
using testing::equals_tensor;
using testing::FakeRun;
using testing::formula_input;
using testing::generator;
using testing::has_shape;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;
using ::testing::UnorderedElementsAre;

TEST(Gelu, HasTwoKinds) {
  const at::Tensor x = at::tensor({-1.0f, 0.5f, 2.0f});
  EXPECT_THAT(gelu(x, Gelu::erf), all_close(x * 0.5 * (1 + (x / std::sqrt(2.0)).erf()), 1e-6));
  EXPECT_THAT(gelu(x, Gelu::quick), all_close(x / (1 + (-1.702 * x).exp()), 1e-6));
  const c10::NoGradGuard no_grad;
  const at::Tensor copy = x.clone();
  EXPECT_THAT(gelu(x, Gelu::quick), all_close(x / (1 + (-1.702 * x).exp()), 1e-6));
  EXPECT_THAT(x, equals_tensor(copy));
}

/// Three blocks on tokens that stand in for an image.
class BlocksTest : public ::testing::Test {
 protected:
  static constexpr TransformerBlockOptions kOptions{.width = 8, .heads = 2, .mlp_width = 16, .layer_scale = 0.5};

  BlocksTest() {
    chain_.add_step([](const at::Tensor& images, const ForwardRequest&) { return images.flatten(1, 2); });
    chain_.add_tap({"embed", {}, 8, 0, true});
    for (int i = 0; i < 3; ++i) {
      blocks_.push_back(std::make_shared<TransformerBlock>(kOptions, rng_));
      blocks_.back()->set_requires_grad(false);
      for (const auto& [name, tensor] : blocks_.back()->named_parameters()) {
        if (tensor.dim() == 2) tensor.mul_(20);
      }
      add_transformer_block(chain_, blocks_.back(), "blocks." + std::to_string(i));
    }
    chain_.add_pass_step([](const at::Tensor& value, StepChain::Pass& pass) { return behind_blocks(value, pass) * 1; });
    chain_.add_tap({"final", {}, 8, 0, true});
    request_.images_nchw = formula_input("images", {2, 3, 4, 8});
    request_.run = &run_;
    request_.keep = {"embed", "block.0", "block.1", "block.2", "final"};
  }

  AttentionBlockPlan& plan(std::vector<std::int64_t> blocks) {
    request_.attention.blocks.emplace_back().blocks = std::move(blocks);
    return request_.attention.blocks.back();
  }

  at::Generator rng_ = generator();
  FakeRun run_;
  StepChain chain_;
  std::vector<std::shared_ptr<TransformerBlock>> blocks_;
  ForwardRequest request_;
};

TEST_F(BlocksTest, RunAsTheyDoAlone) {
  const NamedTensors taps = chain_.run(request_).taps;
  at::Tensor tokens = taps.at("embed");
  for (const auto& block : blocks_) tokens = block->forward(tokens);
  EXPECT_THAT(taps.at("final"), equals_tensor(tokens));
  std::vector<std::string> kinds;
  for (const Site& site : chain_.sites()) kinds.push_back(site.kind);
  kinds.resize(6);
  EXPECT_THAT(kinds, ElementsAre("block", "norm", "attention", "norm", "feed_forward", "activation"));
  EXPECT_EQ(chain_.sites()[8].name, "blocks.1.attn");
}

TEST_F(BlocksTest, ExportAndChangeNothing) {
  const at::Tensor plain = chain_.run(request_).taps.at("final");
  plan({0, -1}).exports = {"soft", "q"};
  request_.attention.blocks.back().head_reduction = "mean";
  const ForwardResult result = chain_.run(request_);
  EXPECT_THAT(result.taps.at("final"), all_close(plain, 1e-5));
  EXPECT_THAT(result.attention.at("block.2.soft"), has_shape({2, 12, 12}));
  EXPECT_THAT(result.attention.at("block.0.q"), has_shape({2, 2, 12, 4}));
  EXPECT_EQ(result.attention.size(), 4u);
}

TEST_F(BlocksTest, RunOnWhereExportsAreAskedFor) {
  plan({2}).exports = {"v"};
  request_.keep = {"block.0"};
  const ForwardResult result = chain_.run(request_);
  EXPECT_TRUE(result.attention.contains("block.2.v"));
  EXPECT_EQ(result.taps.size(), 1u);
}

TEST_F(BlocksTest, CountFromTheEndToo) {
  const NamedTensors taps = chain_.run(request_).taps;
  request_.keep = {"block.-2", "final"};
  EXPECT_THAT(chain_.run(request_).taps.at("block.-2"), equals_tensor(taps.at("block.1")));
  request_.from = FromTap{"block.-1", taps.at("block.2")};
  request_.keep = {"final"};
  EXPECT_THAT(chain_.run(request_).taps.at("final"), equals_tensor(taps.at("final")));
}

TEST_F(BlocksTest, LoseTheirResidualAndTheirFeedForwardPart) {
  AttentionBlockPlan& changed = plan({1});
  changed.exports = {"output"};
  changed.residual = false;
  changed.feed_forward = false;
  const ForwardResult result = chain_.run(request_);
  EXPECT_THAT(result.taps.at("block.1"), all_close(result.attention.at("block.1.output") * 0.5, 1e-6));
  changed.residual = true;
  const NamedTensors taps = chain_.run(request_).taps;
  EXPECT_THAT(taps.at("block.1"), all_close(taps.at("block.0") + result.attention.at("block.1.output") * 0.5, 1e-6));
}

TEST_F(BlocksTest, RunASecondPathBesideTheOriginal) {
  const ForwardResult plain = chain_.run(request_);
  AttentionBlockPlan& changed = plan({1, 2});
  changed.terms = {{'v', 'v'}};
  changed.exports = {"output"};
  changed.feed_forward = false;
  request_.attention.beside_original = true;
  const ForwardResult result = chain_.run(request_);
  for (const char* tap : {"block.0", "block.1", "block.2"}) {
    EXPECT_THAT(result.taps.at(tap), equals_tensor(plain.taps.at(tap))) << tap;
  }
  const at::Tensor second = plain.taps.at("block.0") + 0.5 * result.attention.at("block.1.output") +
                            0.5 * result.attention.at("block.2.output");
  EXPECT_THAT(result.taps.at("final"), all_close(second, 1e-5));
  // The second path's attention is that of the untouched tokens.
  request_.attention.beside_original = false;
  changed.blocks = {2};
  EXPECT_THAT(chain_.run(request_).attention.at("block.2.output"),
              all_close(result.attention.at("block.2.output"), 1e-5));
}

TEST_F(BlocksTest, KeepThePlanAheadOfTheTapToStartFrom) {
  const ForwardResult whole = chain_.run(request_);
  request_.from = FromTap{"block.0", whole.taps.at("block.0")};
  request_.keep = {"final"};
  plan({1}).exports = {"soft"};
  EXPECT_THAT(chain_.run(request_).taps.at("final"), all_close(whole.taps.at("final"), 1e-5));
  request_.attention.blocks.back().blocks = {0};
  EXPECT_THAT([&] { chain_.run(request_); }, ThrowsMessage<UserError>(HasSubstr("`0`")));
}

/// Names what it visits, and doubles one site.
class Visitor : public SiteRewriter {
 public:
  at::Tensor rewrite(const Site& site, const at::Tensor& input,
                     const std::function<at::Tensor(const at::Tensor&)>& original) override {
    visited.push_back(site.name);
    return site.name == doubled ? original(input) * 2 : original(input);
  }
  std::vector<std::string> visited;
  std::string doubled;
};

TEST_F(BlocksTest, VisitTheirSitesOnceAlsoBesideTheOriginal) {
  Visitor visitor;
  request_.rewriter = &visitor;
  plan({1}).terms = {{'q', 'q'}};
  request_.attention.beside_original = true;
  chain_.run(request_);
  std::vector<std::string> names;
  for (const Site& site : chain_.sites()) names.push_back(site.name);
  EXPECT_EQ(visitor.visited, names);
  const at::Tensor plain = chain_.run(request_).taps.at("block.2");
  visitor.doubled = "blocks.0.mlp.act";
  EXPECT_FALSE(at::allclose(chain_.run(request_).taps.at("block.2"), plain));
}

TEST(TransformerBlock, DropsBranchesInTrainingByTheRunsGenerator) {
  FakeRun run;
  const auto block = std::make_shared<TransformerBlock>(
      TransformerBlockOptions{.width = 8, .heads = 2, .mlp_width = 16, .drop_path = 0.9}, generator());
  StepChain chain;
  add_transformer_block(chain, block, "blocks.0");
  block->train(true);
  ForwardRequest request;
  request.from = FromTap{"block.0", at::ones({1, 2, 8})};
  chain.add_step([block](const at::Tensor& tokens, const ForwardRequest&) { return block->forward(tokens); });
  chain.add_tap({"final", {}, 8, 0, true});
  request.run = &run;
  EXPECT_THAT([&] { chain.run(request); }, ThrowsMessage<ContractError>(HasSubstr("generator")));
  block->train(false);
  EXPECT_NO_THROW(chain.run(request));
}

TEST(TransformerBlock, NamesItsPartsAsAsked) {
  TransformerBlock block({.width = 8, .heads = 2, .mlp_width = 16}, generator(),
                         {.norm1 = "ln_1",
                          .attention = "attn",
                          .norm2 = "ln_2",
                          .mlp = "mlp",
                          .fc1 = "c_fc",
                          .fc2 = "c_proj",
                          .activation = "gelu"});
  std::vector<std::string> names;
  for (const auto& [name, tensor] : block.state()) names.push_back(name);
  EXPECT_THAT(names, UnorderedElementsAre("ln_1.weight", "ln_1.bias", "attn.qkv.weight", "attn.qkv.bias",
                                          "attn.proj.weight", "attn.proj.bias", "ln_2.weight", "ln_2.bias",
                                          "mlp.c_fc.weight", "mlp.c_fc.bias", "mlp.c_proj.weight", "mlp.c_proj.bias"));
}

}  // namespace
}  // namespace seedbed
