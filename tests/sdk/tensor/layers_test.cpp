#include "seedbed/layers.hpp"

#include <cmath>

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "doubles.hpp"
#include "support/formula_tensors.hpp"
#include "support/tensor_matchers.hpp"

namespace seedbed {
namespace {

using testing::all_close;
using testing::equals_tensor;
using testing::formula_input;
using testing::generator;
using testing::has_shape;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

TEST(Layers, DrawFromTheGivenGeneratorAlone) {
  const at::Tensor before = at::detail::getDefaultCPUGenerator().get_state();
  const Conv2d first({3, 4, 3}, generator(5)), second({3, 4, 3}, generator(5)), third({3, 4, 3}, generator(6));
  EXPECT_THAT(first.weight.detach(), equals_tensor(second.weight.detach()));
  EXPECT_THAT(first.bias.detach(), equals_tensor(second.bias.detach()));
  EXPECT_FALSE(at::equal(first.weight, third.weight));
  EXPECT_THAT(at::detail::getDefaultCPUGenerator().get_state(), equals_tensor(before));
  EXPECT_THAT([] { Linear(2, 2, true, at::Generator()); }, ThrowsMessage<ContractError>(HasSubstr("generator")));
}

TEST(Layers, InitialValuesHavePytorchsBounds) {
  const Conv2d conv({8, 16, 3, 1, 1, 1, 2}, generator());
  const double bound = 1.0 / std::sqrt(4 * 9.0);
  EXPECT_THAT(conv.weight, has_shape({16, 4, 3, 3}));
  EXPECT_LE(conv.weight.abs().max().item<double>(), bound);
  EXPECT_GT(conv.weight.abs().max().item<double>(), 0.9 * bound);
  EXPECT_LE(conv.bias.abs().max().item<double>(), bound);
}

TEST(Conv2d, TakesItsOptions) {
  const Conv2d conv({4, 4, 3, 2, 2, 2, 4, false}, generator());
  EXPECT_FALSE(conv.bias.defined());
  const at::Tensor input = formula_input("x", {1, 4, 9, 7});
  EXPECT_THAT(conv.forward(input), equals_tensor(at::conv2d(input, conv.weight, {}, 2, 2, 2, 4)));
  const ConvolutionShape shape = conv.shape();
  EXPECT_EQ(shape.dilation, (std::vector<std::int64_t>{2, 2}));
  EXPECT_EQ(shape.groups, 4);
}

TEST(Layers, DetachedParametersGetNoGradient) {
  const Conv2d conv({3, 2, 1}, generator());
  const Linear linear(2, 2, true, generator());
  const at::Tensor input = formula_input("x", {1, 3, 2, 2}).requires_grad_();
  const at::Tensor low = conv.forward(input, ParameterMode::detached).mean({2, 3});
  linear.forward(low, ParameterMode::detached).sum().backward();
  EXPECT_TRUE(input.grad().defined());
  EXPECT_FALSE(conv.weight.grad().defined());
  EXPECT_FALSE(linear.bias.grad().defined());
}

TEST(BatchNorm2d, FollowsItsMode) {
  BatchNorm2d norm(3);
  const at::Tensor input = formula_input("x", {4, 3, 5, 5}) * 3 + 1;
  EXPECT_THAT(norm.forward(input, BatchNormMode::running), all_close(input / std::sqrt(1 + 1e-5), 1e-5));

  const at::Tensor batch = norm.forward(input, BatchNormMode::batch_without_update);
  EXPECT_NEAR(batch.mean().item<double>(), 0.0, 1e-5);
  EXPECT_THAT(norm.running_mean, equals_tensor(at::zeros({3})));
  EXPECT_EQ(norm.num_batches_tracked.item<std::int64_t>(), 0);

  EXPECT_THAT(norm.forward(input, BatchNormMode::batch), equals_tensor(batch));
  EXPECT_THAT(norm.running_mean, all_close(input.mean({0, 2, 3}) * 0.1, 1e-5));
  EXPECT_EQ(norm.num_batches_tracked.item<std::int64_t>(), 1);
}

TEST(Norms, EqualTheirFormulas) {
  const at::Tensor input = formula_input("x", {2, 4, 3, 3});
  const GroupNorm group(2, 4);
  const at::Tensor grouped = input.view({2, 2, -1});
  const at::Tensor wanted = (grouped - grouped.mean(2, true)) / (grouped.var(2, false, true) + 1e-5).sqrt();
  EXPECT_THAT(group.forward(input).detach(), all_close(wanted.view_as(input), 1e-5));
  const LayerNorm layer(3);
  const at::Tensor centred = input - input.mean(-1, true);
  EXPECT_THAT(layer.forward(input).detach(), all_close(centred / (input.var(-1, false, true) + 1e-5).sqrt(), 1e-5));
}

TEST(Dropout, DrawsFromItsGeneratorAndKeepsTheMean) {
  Dropout dropout(0.25, false);
  const at::Tensor ones = at::ones({2, 8, 32, 32});
  EXPECT_THAT(dropout.forward(ones, {}), equals_tensor(ones));  // evaluation mode
  dropout.train(true);
  const at::Tensor before = at::detail::getDefaultCPUGenerator().get_state();
  const at::Tensor first = dropout.forward(ones, generator(3));
  EXPECT_THAT(dropout.forward(ones, generator(3)), equals_tensor(first));
  EXPECT_THAT(dropout.forward(ones.contiguous(at::MemoryFormat::ChannelsLast), generator(3)), equals_tensor(first));
  EXPECT_NEAR(first.mean().item<double>(), 1.0, 0.03);
  EXPECT_THAT(at::detail::getDefaultCPUGenerator().get_state(), equals_tensor(before));
  EXPECT_THAT([&] { dropout.forward(ones, {}); }, ThrowsMessage<ContractError>(HasSubstr("generator")));
}

TEST(Dropout, DropsWholeChannels) {
  Dropout dropout(0.5, true);
  dropout.train(true);
  const at::Tensor kept = dropout.forward(at::ones({2, 16, 4, 4}), generator());
  EXPECT_THAT(kept, equals_tensor(kept.amax({2, 3}, true).expand_as(kept).contiguous()));
  EXPECT_GT(kept.eq(0).sum().item<int>(), 0);
  Dropout all(1.0, false);
  all.train(true);
  EXPECT_THAT(all.forward(at::ones({3}), generator()), equals_tensor(at::zeros({3})));
  EXPECT_THAT([] { Dropout(1.5, false); }, ThrowsMessage<ContractError>(HasSubstr("`1.5")));
}

class SelfAttentionTest : public ::testing::Test {
 protected:
  SelfAttention layer_{16, 4, true, generator()};
  at::Tensor tokens_ = formula_input("tokens", {2, 7, 16});
};

TEST_F(SelfAttentionTest, GivesTheSameNumbersWithAndWithoutExports) {
  AttentionBlockPlan plan;
  plan.exports = {"q", "k", "v", "raw", "soft", "output"};
  const auto plain = layer_.forward(tokens_, nullptr);
  const auto exported = layer_.forward(tokens_, &plan);
  EXPECT_THAT(exported.tokens_nld, all_close(plain.tokens_nld, 1e-6));
  EXPECT_TRUE(plain.exports.empty());
  ASSERT_EQ(exported.exports.size(), 6u);
  EXPECT_THAT(exported.exports.at("q"), has_shape({2, 4, 7, 4}));
  EXPECT_THAT(exported.exports.at("soft"), has_shape({2, 4, 7, 7}));
  EXPECT_THAT(exported.exports.at("raw").softmax(-1), all_close(exported.exports.at("soft"), 1e-6));
  EXPECT_THAT(exported.exports.at("output"), equals_tensor(exported.tokens_nld));
}

TEST_F(SelfAttentionTest, ReducesOverHeads) {
  AttentionBlockPlan plan;
  plan.exports = {"soft"};
  const at::Tensor all = layer_.forward(tokens_, &plan).exports.at("soft");
  for (const auto& [reduction, wanted] : std::vector<std::pair<std::string, at::Tensor>>{
           {"mean", all.mean(1)}, {"max", all.amax(1)}, {"sum", all.sum(1)}}) {
    plan.head_reduction = reduction;
    EXPECT_THAT(layer_.forward(tokens_, &plan).exports.at("soft"), equals_tensor(wanted)) << reduction;
  }
  plan.head_reduction = "median";
  EXPECT_THAT([&] { layer_.forward(tokens_, &plan); }, ThrowsMessage<ContractError>(HasSubstr("`median`")));
}

TEST_F(SelfAttentionTest, AddsAnExternalMap) {
  AttentionBlockPlan plan;
  plan.terms = {{'q', 'k', 0.0}};
  plan.external_ll = at::eye(7);
  AttentionBlockPlan identity;
  identity.terms = {{'i', 'i'}};
  EXPECT_THAT(layer_.forward(tokens_, &plan).tokens_nld,
              all_close(layer_.forward(tokens_, &identity).tokens_nld, 1e-6));
  plan.external_ll = at::eye(7).expand({2, 7, 7});
  EXPECT_THAT(layer_.forward(tokens_, &plan).tokens_nld,
              all_close(layer_.forward(tokens_, &identity).tokens_nld, 1e-6));
}

TEST_F(SelfAttentionTest, TakesTemperatureAndUnitVectors) {
  AttentionBlockPlan plan;
  plan.exports = {"q", "soft"};
  plan.terms = {{'q', 'q'}};
  plan.unit_vectors = true;
  plan.temperature = 3.0;
  const auto result = layer_.forward(tokens_, &plan);
  const at::Tensor q = result.exports.at("q"), unit = q / q.norm(2, -1, true);
  EXPECT_THAT(result.exports.at("soft"), all_close((at::matmul(unit, unit.transpose(2, 3)) * 3.0).softmax(-1), 1e-6));
}

TEST_F(SelfAttentionTest, RefusesWhatItCannotDo) {
  EXPECT_THAT([] { SelfAttention(10, 4, true, generator()); },
              ThrowsMessage<ContractError>(HasSubstr("divisor of `10`")));
  AttentionBlockPlan plan;
  plan.terms = {{'q', 'x'}};
  EXPECT_THAT([&] { layer_.forward(tokens_, &plan); }, ThrowsMessage<ContractError>(HasSubstr("`x`")));
}

}  // namespace
}  // namespace seedbed
