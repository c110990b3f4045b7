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

TEST(LayerScale, ScalesEachChannel) {
  LayerScale scale(3, 0.5);
  scale.gamma.detach()[1] = 2.0;
  EXPECT_THAT(scale.forward(at::ones({2, 3})), equals_tensor(at::tensor({0.5f, 2.0f, 0.5f}).expand({2, 3})));
  EXPECT_FALSE(scale.forward(at::ones({3}), ParameterMode::detached).requires_grad());
}

TEST(DropPath, LeavesOutWholeImagesInTraining) {
  DropPath drop(0.25);
  const at::Tensor branch = at::ones({64, 3, 5});
  EXPECT_TRUE(drop.forward(branch, generator()).is_same(branch));
  drop.train(true);
  const at::Tensor dropped = drop.forward(branch, generator());
  EXPECT_THAT(dropped, equals_tensor(dropped.slice(1, 0, 1).slice(2, 0, 1).expand({64, 3, 5})));
  const double kept = dropped.select(2, 0).select(1, 0).count_nonzero().item<double>();
  EXPECT_NEAR(kept, 48, 12);
  EXPECT_NEAR(dropped.max().item<double>(), 1 / 0.75, 1e-6);
  EXPECT_THAT([&] { drop.forward(branch, {}); }, ThrowsMessage<ContractError>(HasSubstr("generator")));
  EXPECT_THAT([] { DropPath(1.0); }, ThrowsMessage<ContractError>(HasSubstr("`1.0")));
}

}  // namespace
}  // namespace seedbed
