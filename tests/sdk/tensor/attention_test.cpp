#include "seedbed/attention.hpp"

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

class SelfAttentionTest : public ::testing::Test {
 protected:
  SelfAttention layer_{16, 4, true, generator()};
  at::Tensor tokens_ = formula_input("tokens", {2, 7, 16});
};

TEST_F(SelfAttentionTest, GivesTheSameNumbersWithAndWithoutExports) {
  AttentionBlockPlan plan;
  plan.exports = {"q", "k", "v", "raw", "unscaled", "soft", "output"};
  const auto plain = layer_.forward(tokens_, nullptr);
  const auto exported = layer_.forward(tokens_, &plan);
  EXPECT_THAT(exported.tokens_nld, all_close(plain.tokens_nld, 1e-6));
  EXPECT_TRUE(plain.exports.empty());
  ASSERT_EQ(exported.exports.size(), 7u);
  EXPECT_THAT(exported.exports.at("q"), has_shape({2, 4, 7, 4}));
  EXPECT_THAT(exported.exports.at("soft"), has_shape({2, 4, 7, 7}));
  EXPECT_THAT(exported.exports.at("raw").softmax(-1), all_close(exported.exports.at("soft"), 1e-6));
  EXPECT_THAT(exported.exports.at("unscaled") * 0.5, all_close(exported.exports.at("raw"), 1e-6));
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

TEST_F(SelfAttentionTest, SmoothsVectorsByTheirOwnMap) {
  AttentionBlockPlan plan;
  plan.exports = {"k", "soft"};
  plan.terms = {{'k', 'k'}};
  plan.unit_vectors = true;
  plan.smoothing = 2;
  plan.temperature_by_length = true;
  const auto result = layer_.forward(tokens_, &plan);
  const at::Tensor temperature = tokens_.square().sum(2).sqrt().mean(1).view({2, 1, 1, 1}) / 2.0;
  const auto unit = [](const at::Tensor& z) { return z / z.square().sum(-1, true).sqrt(); };
  const auto map = [&](const at::Tensor& z) { return (at::matmul(z, z.transpose(2, 3)) * temperature).softmax(-1); };
  at::Tensor k = result.exports.at("k");
  for (int i = 0; i < 2; ++i) k = at::matmul(map(unit(k)), unit(k));
  EXPECT_THAT(result.exports.at("soft"), all_close(map(unit(k)), 1e-6));
  plan.smoothing = 0;
  EXPECT_FALSE(at::allclose(layer_.forward(tokens_, &plan).exports.at("soft"), result.exports.at("soft")));
}

TEST_F(SelfAttentionTest, HasAnotherTemperatureForEachImage) {
  AttentionBlockPlan plan;
  plan.exports = {"soft"};
  plan.temperature_by_length = true;
  const at::Tensor scaled = tokens_ * at::tensor({1.0F, 3.0F}).view({2, 1, 1});
  const at::Tensor both = layer_.forward(scaled, &plan).exports.at("soft");
  EXPECT_THAT(layer_.forward(scaled.slice(0, 1), &plan).exports.at("soft"), all_close(both.slice(0, 1), 1e-6));
  EXPECT_THAT([&] { attend({both, both, both}, &plan); }, ThrowsMessage<ContractError>(HasSubstr("input_nld")));
}

TEST(SelfAttention, HasTheNamesOfPyTorchsAttention) {
  SelfAttention layer(16, 4, true, generator(), false, AttentionNames::torch);
  const SelfAttention other(16, 4, true, generator());
  const NamedTensors state = other.state();
  EXPECT_TRUE(layer
                  .load_state({{"in_proj_weight", state.at("qkv.weight")},
                               {"in_proj_bias", state.at("qkv.bias")},
                               {"out_proj.weight", state.at("proj.weight")},
                               {"out_proj.bias", state.at("proj.bias")}})
                  .complete());
  const at::Tensor tokens = formula_input("tokens", {2, 7, 16});
  EXPECT_THAT(layer.forward(tokens, nullptr).tokens_nld, equals_tensor(other.forward(tokens, nullptr).tokens_nld));
  EXPECT_FALSE(SelfAttention(16, 4, false, generator(), false, AttentionNames::torch).state().contains("in_proj_bias"));
}

TEST_F(SelfAttentionTest, RefusesWhatItCannotDo) {
  EXPECT_THAT([] { SelfAttention(10, 4, true, generator()); },
              ThrowsMessage<ContractError>(HasSubstr("divisor of `10`")));
  AttentionBlockPlan plan;
  plan.terms = {{'q', 'x'}};
  EXPECT_THAT([&] { layer_.forward(tokens_, &plan); }, ThrowsMessage<ContractError>(HasSubstr("`x`")));
}

class ReducedKeysTest : public ::testing::Test {
 protected:
  QueryKeyValue vectors_{formula_input("q", {2, 3, 8, 4}), formula_input("k", {2, 3, 2, 4}),
                         formula_input("v", {2, 3, 2, 4})};
  AttentionBlockPlan plan_;
};

TEST_F(ReducedKeysTest, HaveFewerColumns) {
  plan_.exports = {"soft"};
  const AttentionResult result = attend(vectors_, &plan_);
  EXPECT_THAT(result.exports.at("soft"), has_shape({2, 3, 8, 2}));
  EXPECT_THAT(result.mixed_nhld, all_close(attend(vectors_, nullptr).mixed_nhld, 1e-6));
}

TEST_F(ReducedKeysTest, TakeNoOtherTermThanTheirOwn) {
  for (const auto& term : {AttentionTerm{'q', 'q'}, {'k', 'k'}, {'v', 'v'}, {'i', 'i'}}) {
    plan_.terms = {term};
    EXPECT_THAT([&] { attend(vectors_, &plan_); }, ThrowsMessage<ContractError>(HasSubstr("spatially reduced")));
  }
  plan_.terms = {};
  plan_.exports = {"unscaled"};
  EXPECT_THAT([&] { attend(vectors_, &plan_); }, ThrowsMessage<ContractError>(HasSubstr("`2` keys")));
}

TEST_F(ReducedKeysTest, TakeAnExternalMapOfTheirSize) {
  plan_.external_ll = at::zeros({8, 2});
  EXPECT_THAT(attend(vectors_, &plan_).mixed_nhld, all_close(attend(vectors_, nullptr).mixed_nhld, 1e-6));
  for (const at::Tensor& wrong : {at::zeros({8, 8}), at::zeros({3, 8, 2}), at::zeros({2})}) {
    plan_.external_ll = wrong;
    EXPECT_THAT([&] { attend(vectors_, &plan_); }, ThrowsMessage<ContractError>(HasSubstr("external map")));
  }
}

TEST(Attend, HidesLaterTokensWhereCausal) {
  const QueryKeyValue vectors{formula_input("q", {1, 2, 5, 4}), formula_input("k", {1, 2, 5, 4}),
                              formula_input("v", {1, 2, 5, 4})};
  const at::Tensor whole = attend(vectors, nullptr, /*causal=*/true).mixed_nhld;
  const QueryKeyValue start{vectors.q.slice(2, 0, 3), vectors.k.slice(2, 0, 3), vectors.v.slice(2, 0, 3)};
  EXPECT_THAT(whole.slice(2, 0, 3), all_close(attend(start, nullptr, /*causal=*/true).mixed_nhld, 1e-6));
  EXPECT_FALSE(at::allclose(whole, attend(vectors, nullptr).mixed_nhld));
  const AttentionBlockPlan plan;
  EXPECT_THAT([&] { attend(vectors, &plan, /*causal=*/true); }, ThrowsMessage<ContractError>(HasSubstr("causal")));
}

}  // namespace
}  // namespace seedbed
