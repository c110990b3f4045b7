#include <algorithm>
#include <vector>

#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include "contract/methods_under_test.hpp"
#include "contract/shared_backbone.hpp"
#include "seedbed/backbone.hpp"
#include "seedbed/checks.hpp"
#include "support/tensor_matchers.hpp"

namespace seedbed::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

constexpr double kFloatNoise = 1e-4;

/// Every backbone that provides "attention", under plans for its blocks.
class AttentionContract : public ::testing::TestWithParam<MethodVariant> {
 protected:
  void SetUp() override {
    SEEDBED_MAKE_OR_SKIP(made, shared_backbone(GetParam()));
    backbone_ = made;
    backbone_->set_requires_grad(false);
    const std::int64_t multiple = backbone_->size_multiple_px();
    const auto fitting = [&](std::int64_t side) {
      return (std::max(side, backbone_->minimum_size_px()) + multiple - 1) / multiple * multiple;
    };
    request_.images_nchw = contract_images(2, fitting(45), fitting(67));
    request_.run = &run_;
    for (const TapInfo& tap : backbone_->taps()) {
      if (tap.name.starts_with("block.")) ++num_blocks_;
    }
    ASSERT_GT(num_blocks_, 0);
  }

  /// A plan for the last block alone, added to the request.
  AttentionBlockPlan& plan_last() {
    AttentionBlockPlan& plan = request_.attention.blocks.emplace_back();
    plan.blocks = {-1};
    return plan;
  }

  std::string last(const std::string& what) const { return "block." + std::to_string(num_blocks_ - 1) + "." + what; }

  ForwardResult run(std::vector<std::string> keep = {"final"}) {
    request_.keep = std::move(keep);
    ForwardResult result = backbone_->forward(request_);
    check_forward_result(result, request_, *backbone_, GetParam().name);
    return result;
  }

  at::Tensor final_tap() { return run().taps.at("final"); }
  at::Tensor last_block() { return run({"block.-1"}).taps.at("block.-1"); }

  static double noise_of(const at::Tensor& value) {
    return kFloatNoise * std::max(1.0, value.abs().max().item<double>());
  }
  static void expect_close(const at::Tensor& found, const at::Tensor& wanted) {
    EXPECT_THAT(found, all_close(wanted, noise_of(wanted), kFloatNoise));
  }

  FakeRun run_;
  std::shared_ptr<Backbone> backbone_;
  ForwardRequest request_;
  std::int64_t num_blocks_ = 0;
};

TEST_P(AttentionContract, ExportsAndChangesNothing) {
  const at::Tensor plain = final_tap();
  AttentionBlockPlan& plan = request_.attention.blocks.emplace_back();
  for (std::int64_t block = 0; block < num_blocks_; ++block) plan.blocks.push_back(block);
  plan.exports = {"q", "k", "v", "raw", "unscaled", "soft", "output"};
  const ForwardResult result = run();
  expect_close(result.taps.at("final"), plain);
  for (std::int64_t block = 0; block < num_blocks_; ++block) {
    const auto exported = [&](const std::string& what) {
      return result.attention.at("block." + std::to_string(block) + "." + what);
    };
    const at::Tensor soft = exported("soft"), unscaled = exported("unscaled");
    EXPECT_THAT(soft.sum(-1), all_close(at::ones_like(soft.sum(-1)), 1e-5)) << block;
    EXPECT_THAT(exported("raw").softmax(-1), all_close(soft, 1e-5)) << block;
    EXPECT_EQ(unscaled.size(-1), unscaled.size(-2)) << block;
    EXPECT_EQ(exported("q").sizes().slice(0, 3), soft.sizes().slice(0, 3)) << block;
    EXPECT_EQ(exported("k").size(2), soft.size(3)) << block;
    EXPECT_EQ(exported("v").sizes(), exported("k").sizes()) << block;
  }
}

TEST_P(AttentionContract, ReducesOverHeads) {
  AttentionBlockPlan& plan = plan_last();
  plan.exports = {"soft", "raw"};
  const NamedTensors all = run().attention;
  const auto expect_reduced = [&](const std::string& reduction,
                                  const std::function<at::Tensor(const at::Tensor&)>& by) {
    plan.head_reduction = reduction;
    const NamedTensors reduced = run().attention;
    for (const char* what : {"soft", "raw"}) {
      EXPECT_THAT(reduced.at(last(what)), all_close(by(all.at(last(what))), 1e-5, kFloatNoise)) << reduction;
    }
  };
  expect_reduced("mean", [](const at::Tensor& map) { return map.mean(1); });
  expect_reduced("max", [](const at::Tensor& map) { return map.amax(1); });
  expect_reduced("sum", [](const at::Tensor& map) { return map.sum(1); });
}

TEST_P(AttentionContract, TakesItsOwnTermForPlain) {
  const at::Tensor plain = final_tap();
  AttentionBlockPlan& plan = plan_last();
  plan.terms = {{'q', 'k', 0.25}, {'q', 'k', 0.75}};
  expect_close(final_tap(), plain);
  plan.terms = {{'q', 'k', 2.0}};
  EXPECT_FALSE(at::allclose(final_tap(), plain, 0, noise_of(plain)));
}

TEST_P(AttentionContract, MixesByTheTermsAskedFor) {
  AttentionBlockPlan& plan = plan_last();
  plan.exports = {"q", "k", "v", "output"};
  const NamedTensors own = run().attention;
  plan.exports = {"soft", "output"};
  const double heads_root = std::sqrt(static_cast<double>(own.at(last("q")).size(3)));
  for (const char side : {'q', 'k', 'v'}) {
    plan.terms = {{side, side}};
    const at::Tensor vectors = own.at(last(std::string(1, side)));
    const at::Tensor map = (at::matmul(vectors, vectors.transpose(-2, -1)) / heads_root).softmax(-1);
    const NamedTensors changed = run().attention;
    EXPECT_THAT(changed.at(last("soft")), all_close(map, 1e-5)) << side;
    EXPECT_FALSE(at::allclose(changed.at(last("output")), own.at(last("output")), 0, 1e-6)) << side;
  }
  plan.terms = {{'i', 'i'}};
  const at::Tensor identity = run().attention.at(last("soft"));
  EXPECT_THAT(identity, equals_tensor(at::eye(identity.size(-1)).expand_as(identity)));
}

TEST_P(AttentionContract, TakesTemperatureUnitVectorsAndASharedMap) {
  AttentionBlockPlan& plan = plan_last();
  plan.exports = {"k", "soft"};
  plan.terms = {{'k', 'k'}};
  plan.unit_vectors = true;
  plan.temperature = 5.0;
  const NamedTensors found = run().attention;
  const at::Tensor unit = found.at(last("k")) / found.at(last("k")).norm(2, -1, true);
  const at::Tensor map = (at::matmul(unit, unit.transpose(-2, -1)) * 5.0).softmax(-1);
  EXPECT_THAT(found.at(last("soft")), all_close(map, 1e-5));
  plan.heads_share_map = true;
  EXPECT_THAT(run().attention.at(last("soft")), all_close(map.sum(1, true), 1e-5));
}

TEST_P(AttentionContract, AddsAnExternalMap) {
  AttentionBlockPlan& plan = plan_last();
  plan.exports = {"soft", "output"};
  const NamedTensors plain = run().attention;
  const at::Tensor soft = plain.at(last("soft"));
  const at::Tensor external = at::arange(soft.size(-1) * soft.size(-2), at::kFloat).view({soft.size(-2), -1}).sin();
  plan.external_ll = external;
  const NamedTensors once = run().attention;
  EXPECT_THAT(once.at(last("soft")), all_close(soft + external, 1e-5));
  plan.external_ll = at::stack({external * 2, external * 2});
  const NamedTensors twice = run().attention;
  const auto added = [&](const NamedTensors& found) { return found.at(last("output")) - plain.at(last("output")); };
  EXPECT_GT(added(once).abs().max().item<double>(), 0);
  expect_close(added(twice), 2 * added(once));
  plan.external_ll = external.slice(0, 1);
  EXPECT_THAT([&] { run(); }, ThrowsMessage<ContractError>(HasSubstr("external map")));
}

TEST_P(AttentionContract, LosesResidualAndFeedForward) {
  const std::vector<TapInfo> taps = backbone_->taps();
  if (num_blocks_ == 1 && std::ranges::find(taps, "embed", &TapInfo::name) == taps.end()) {
    GTEST_SKIP() << "its only block pools a map, with neither residual nor feed-forward part";
  }
  AttentionBlockPlan& plan = plan_last();
  plan.feed_forward = false;
  const std::string before = num_blocks_ > 1 ? "block.-2" : "embed";
  const NamedTensors kept = run({before, "block.-1"}).taps;
  plan.residual = false;
  const at::Tensor attention_alone = last_block();
  if (kept.at(before).sizes() == attention_alone.sizes()) {
    expect_close(attention_alone + kept.at(before), kept.at("block.-1"));
  }
  plan.feed_forward = true;
  EXPECT_FALSE(at::allclose(last_block(), attention_alone, 0, noise_of(attention_alone)));
}

TEST_P(AttentionContract, RunsASecondPathOrSaysThatItHasNone) {
  const NamedTensors plain = run({"block.-1", "final"}).taps;
  plan_last().terms = {{'q', 'k'}};
  request_.attention.beside_original = true;
  try {
    run();
  } catch (const UserError& error) {
    EXPECT_THAT(error.message(), HasSubstr("no second path"));
    return;
  }
  // One block whose plan changes nothing, beside itself, is itself.
  expect_close(final_tap(), plain.at("final"));
  request_.attention.blocks.back().terms = {{'v', 'v'}};
  const NamedTensors changed = run({"block.-1", "final"}).taps;
  EXPECT_THAT(changed.at("block.-1"), equals_tensor(plain.at("block.-1")));
  EXPECT_FALSE(at::equal(changed.at("final"), plain.at("final")));
  // What is beside the original in one block is what it would be in its place.
  const at::Tensor beside = changed.at("final");
  request_.attention.beside_original = false;
  expect_close(final_tap(), beside);
}

TEST_P(AttentionContract, KeepsGradientsBehindAPlan) {
  AttentionBlockPlan& plan = plan_last();
  plan.exports = {"soft"};
  request_.images_nchw.set_requires_grad(true);
  run().attention.at(last("soft")).square().sum().backward();
  EXPECT_TRUE(request_.images_nchw.grad().isfinite().all().item<bool>());
  EXPECT_GT(request_.images_nchw.grad().abs().max().item<double>(), 0);
}

TEST_P(AttentionContract, RefusesBlocksThatAreNotThere) {
  plan_last().blocks = {num_blocks_};
  EXPECT_THAT([&] { run(); }, ThrowsMessage<UserError>(HasSubstr("`" + std::to_string(num_blocks_) + "`")));
}

std::vector<MethodVariant> transformers() {
  std::vector<MethodVariant> variants = variants_under_test(MethodKind::backbone);
  std::erase_if(variants, [](const MethodVariant& variant) {
    const auto& provides = variant.method->manifest.provides;
    return std::ranges::find(provides, "attention") == provides.end();
  });
  return variants;
}

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(AttentionContract);
INSTANTIATE_TEST_SUITE_P(Methods, AttentionContract, ::testing::ValuesIn(transformers()), name_of_variant);

}  // namespace
}  // namespace seedbed::testing
