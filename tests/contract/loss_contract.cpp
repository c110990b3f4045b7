#include <algorithm>
#include <cmath>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <gmock/gmock.h>

#include "contract/methods_under_test.hpp"
#include "seedbed/checks.hpp"
#include "seedbed/loss.hpp"

namespace seedbed::testing {
namespace {

constexpr std::int64_t kNumLabels = 4;
constexpr std::string_view kTapNeed = "tap:";
constexpr double kGradientNoise = 1e-4;

class LossContract : public ::testing::TestWithParam<MethodVariant> {
 protected:
  void SetUp() override {
    const ModelContext context = contract_context(run_, kNumLabels - 1);
    backbone_ = context.backbone;
    SEEDBED_MAKE_OR_SKIP(made, make<Loss>(GetParam(), context));
    loss_ = made;
    const std::vector<std::string> can_give{"logits",     "target", "present",       "images",
                                            "images_raw", "valid",  "pixel_weights", "companion:confidence"};
    for (const std::string& need : loss_->needs()) {
      if (!need.starts_with(kTapNeed) && std::ranges::find(can_give, need) == can_give.end()) {
        GTEST_SKIP() << "needs `" << need << "`";
      }
    }
  }

  bool needs(const std::string& name) const {
    const auto all = loss_->needs();
    return std::ranges::find(all, name) != all.end();
  }

  // What only its manifest says of it.
  bool declares(const std::string& name) const {
    const auto& all = GetParam().method->manifest.needs;
    return std::ranges::find(all, name) != all.end();
  }

  // Features as a tap of the small backbone has them, of an image of this size.
  at::Tensor tap(const std::string& name, std::int64_t n, std::int64_t height, std::int64_t width) const {
    ForwardRequest asked;
    asked.images_nchw = contract_images(n, height, width);
    asked.keep = {name};
    const c10::NoGradGuard no_grad;
    return backbone_->forward(asked).taps.at(name);
  }

  // What the loss declares, and nothing else.
  LossRequest request(std::int64_t n = 2) {
    const std::int64_t height = 13, width = 17;
    LossRequest request;
    const at::Tensor waves = contract_images(n * 2, 7, 9).reshape({n, 6, 7, 9}) * 2.0;
    const bool of_pixels = needs("target") || needs("images") || needs("images_raw") || declares("logits:pixels");
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
    if (needs("valid")) {
      const auto side = [&](std::int64_t value) { return at::full({n}, value, at::kLong); };
      request.valid.boxes_n4 = at::stack({side(0), side(2), side(height), side(width)}, 1);
    }
    if (needs("companion:confidence")) {
      request.companions["confidence"] = at::linspace(0.5, 1, n * height * width).view({n, 1, height, width});
    }
    for (const std::string& need : loss_->needs()) {
      if (!need.starts_with(kTapNeed)) continue;
      const std::string name = need.substr(kTapNeed.size());
      request.taps[name] = tap(name, n, height, width).set_requires_grad(true);
    }
    request.num_steps = 10;
    request.run = &run_;
    return request;
  }

  // The tensors that a gradient reaches: logits, or taps of a loss that reads nothing else.
  std::vector<at::Tensor> sources(const LossRequest& asked) const {
    if (needs("logits")) return {asked.logits};
    std::vector<at::Tensor> taps;
    for (const auto& [name, value] : asked.taps) taps.push_back(value);
    return taps;
  }

  FakeRun run_;
  std::shared_ptr<Backbone> backbone_;
  std::shared_ptr<Loss> loss_;
};

TEST_P(LossContract, IsAFiniteScalarWithAGraph) {
  for (const std::int64_t n : {1, 3}) {
    const LossRequest asked = request(n);
    const at::Tensor value = loss_->compute(asked);
    check_loss_value(value, GetParam().name);
    value.backward();
    for (const at::Tensor& source : sources(asked)) {
      EXPECT_TRUE(source.grad().isfinite().all().item<bool>());
      EXPECT_GT(source.grad().abs().sum().item<double>(), 0.0);
    }
    expect_finite_gradients(*loss_);
  }
}

TEST_P(LossContract, HasTheGradientOfItsValue) {
  if (declares("own_gradient")) GTEST_SKIP() << "its published gradient is not that of its value";
  const LossRequest asked = request();
  loss_->compute(asked).backward();
  for (at::Tensor source : sources(asked)) {
    const at::Tensor gradient = source.grad().flatten().clone();
    const c10::NoGradGuard no_grad;
    at::Tensor values = source.view(-1);
    for (std::int64_t i = 0; i < gradient.numel(); i += 1 + gradient.numel() / 7) {
      const double before = values[i].item<double>();
      const auto value_at = [&](double offset) {
        values[i].fill_(before + offset);
        const double value = loss_->compute(asked).item<double>();
        values[i].fill_(before);
        return value;
      };
      const auto difference_over = [&](double step) { return (value_at(step) - value_at(-step)) / (2 * step); };
      // The difference of two float32 values near 1 carries noise of 1e-7 / step. A long step may lead past a place where
      // the loss chooses other pixels; a short one then may not.
      const double expected = gradient[i].item<double>(), over_long_step = difference_over(1e-2);
      if (std::abs(over_long_step - expected) <= kGradientNoise) continue;
      EXPECT_NEAR(expected, difference_over(2e-3), kGradientNoise) << i << ", over a longer step " << over_long_step;
    }
  }
}

TEST_P(LossContract, IsZeroWhereNothingCounts) {
  if (!needs("target")) GTEST_SKIP() << "takes no target";
  if (declares("unlabelled")) GTEST_SKIP() << "counts pixels without a label too";
  for (const std::int64_t label : {kIgnoreLabel, kUndecidedLabel}) {
    LossRequest asked = request();
    asked.target_nhw.fill_(label);
    const at::Tensor value = loss_->compute(asked);
    check_loss_value(value, GetParam().name);
    EXPECT_EQ(value.item<double>(), 0.0);
    value.backward();
    for (const at::Tensor& source : sources(asked)) EXPECT_EQ(source.grad().abs().sum().item<double>(), 0.0);
  }
}

TEST_P(LossContract, LeavesItsInputAlone) {
  const LossRequest asked = request();
  std::vector<std::pair<std::string, at::Tensor>> tensors{{"logits", asked.logits}};
  if (asked.target_nhw.defined()) tensors.emplace_back("target", asked.target_nhw);
  if (asked.present_nc.defined()) tensors.emplace_back("present", asked.present_nc);
  if (asked.images_raw_nhwc.defined()) tensors.emplace_back("images_raw", asked.images_raw_nhwc);
  for (const auto& [name, value] : asked.companions) tensors.emplace_back(name, value);
  for (const auto& [name, value] : asked.taps) tensors.emplace_back(name, value);
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
