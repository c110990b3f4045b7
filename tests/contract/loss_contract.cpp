#include <algorithm>

#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include "contract/methods_under_test.hpp"
#include "seedbed/checks.hpp"
#include "seedbed/loss.hpp"

namespace seedbed::testing {
namespace {

constexpr std::int64_t kNumLabels = 4;

class LossContract : public ::testing::TestWithParam<MethodVariant> {
 protected:
  void SetUp() override {
    SEEDBED_MAKE_OR_SKIP(made, make<Loss>(GetParam(), contract_context(run_, kNumLabels - 1)));
    loss_ = made;
    const std::vector<std::string> can_give{"logits", "target", "present", "images", "images_raw", "pixel_weights"};
    for (const std::string& need : loss_->needs()) {
      if (std::ranges::find(can_give, need) == can_give.end()) GTEST_SKIP() << "needs `" << need << "`";
    }
  }

  bool needs(const std::string& name) const {
    const auto all = loss_->needs();
    return std::ranges::find(all, name) != all.end();
  }

  // What the loss declares, and nothing else.
  LossRequest request(std::int64_t n = 2) {
    const std::int64_t height = 13, width = 17;
    LossRequest request;
    const at::Tensor waves = contract_images(n * 2, 7, 9).reshape({n, 6, 7, 9}) * 2.0;
    const bool of_pixels = needs("target") || needs("images") || needs("images_raw");
    request.logits = of_pixels ? waves.slice(1, 0, kNumLabels).clone() : waves.slice(1, 0, kNumLabels - 1).mean({2, 3});
    request.logits.set_requires_grad(true);
    if (needs("target")) {
      request.target_nhw = at::arange(n * height * width, at::kLong).view({n, height, width}).remainder(kNumLabels);
      request.target_nhw.select(1, 0).fill_(kIgnoreLabel);
      request.target_nhw.select(1, 1).fill_(kUndecidedLabel);
    }
    if (needs("present"))
      request.present_nc = at::arange(n * (kNumLabels - 1)).view({n, -1}).remainder(2).to(at::kBool);
    if (needs("images")) request.images_nchw = contract_images(n, height, width);
    if (needs("images_raw")) request.images_raw_nhwc = contract_images_raw(n, height, width);
    if (needs("pixel_weights")) request.pixel_weights_nhw = at::ones({n, height, width});
    request.num_steps = 10;
    request.run = &run_;
    return request;
  }

  FakeRun run_;
  std::shared_ptr<Loss> loss_;
};

TEST_P(LossContract, IsAFiniteScalarWithAGraph) {
  for (const std::int64_t n : {1, 3}) {
    const LossRequest asked = request(n);
    const at::Tensor value = loss_->compute(asked);
    check_loss_value(value, GetParam().name);
    value.backward();
    EXPECT_TRUE(asked.logits.grad().isfinite().all().item<bool>());
    EXPECT_GT(asked.logits.grad().abs().sum().item<double>(), 0.0);
  }
}

TEST_P(LossContract, HasTheGradientOfItsValue) {
  const LossRequest asked = request();
  loss_->compute(asked).backward();
  const at::Tensor gradient = asked.logits.grad().flatten();
  const double step = 1e-2;
  for (std::int64_t i = 0; i < gradient.numel(); i += 1 + gradient.numel() / 7) {
    const auto value_at = [&](double offset) {
      LossRequest moved = asked;
      moved.logits = asked.logits.detach().clone();
      moved.logits.view(-1)[i] += offset;
      moved.logits.set_requires_grad(true);
      return loss_->compute(moved).item<double>();
    };
    // The difference of two float32 values near 1 carries noise of 1e-7 / step.
    EXPECT_NEAR(gradient[i].item<double>(), (value_at(step) - value_at(-step)) / (2 * step), 1e-4) << i;
  }
}

TEST_P(LossContract, IsZeroWhereNothingCounts) {
  if (!needs("target")) GTEST_SKIP() << "takes no target";
  for (const std::int64_t label : {kIgnoreLabel, kUndecidedLabel}) {
    LossRequest asked = request();
    asked.target_nhw.fill_(label);
    const at::Tensor value = loss_->compute(asked);
    check_loss_value(value, GetParam().name);
    EXPECT_EQ(value.item<double>(), 0.0);
    value.backward();
    EXPECT_EQ(asked.logits.grad().abs().sum().item<double>(), 0.0);
  }
}

TEST_P(LossContract, LeavesItsInputAlone) {
  const LossRequest asked = request();
  std::vector<std::pair<std::string, at::Tensor>> tensors{{"logits", asked.logits}};
  if (asked.target_nhw.defined()) tensors.emplace_back("target", asked.target_nhw);
  if (asked.present_nc.defined()) tensors.emplace_back("present", asked.present_nc);
  const InputGuard guard(tensors, true);
  const at::Tensor before = global_generator_state();
  loss_->compute(asked);
  guard.verify(GetParam().name);
  EXPECT_TRUE(at::equal(before, global_generator_state()));
}

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(LossContract);
INSTANTIATE_TEST_SUITE_P(Methods, LossContract, ::testing::ValuesIn(variants_under_test(MethodKind::loss)),
                         name_of_variant);

}  // namespace
}  // namespace seedbed::testing
