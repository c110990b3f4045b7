#include <algorithm>

#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include "contract/methods_under_test.hpp"
#include "seedbed/kernels/resize.hpp"
#include "seedbed/loss.hpp"
#include "support/goldens.hpp"
#include "support/tensor_matchers.hpp"

namespace seedbed::testing {
namespace {

class CrossEntropyTest : public ::testing::Test {
 protected:
  at::Tensor loss(const at::Tensor& logits, const at::Tensor& target, const ParameterValues& parameters = {}) {
    LossRequest request;
    request.logits = logits;
    request.target_nhw = target;
    request.run = &run_;
    return make<Loss>(MethodKind::loss, "cross_entropy", contract_context(run_, 2, false), parameters)
        ->compute(request);
  }
  FakeRun run_;
};

TEST_F(CrossEntropyTest, EqualsTheGolden) {
  const auto goldens = method_goldens();
  const auto golden = std::ranges::find(goldens, "segmentation_losses", &Golden::name);
  if (golden == goldens.end()) GTEST_SKIP() << "no `goldens/methods` in the shared folder (SEEDBED_SHARED names it)";
  const at::Tensor logits = golden->input("logits").clone().set_requires_grad(true);
  const at::Tensor value = loss(logits, golden->input("labels"));
  value.backward();
  EXPECT_THAT(value.detach().view({1}), all_close(golden->output("cross_entropy"), 3e-6, 5e-4));
  EXPECT_THAT(logits.grad()[0], all_close(golden->output("d_cross_entropy"), 3e-6, 5e-4));
}

TEST_F(CrossEntropyTest, BringsLogitsToTheSizeOfTheTarget) {
  const at::Tensor logits = contract_images(2, 4, 5);
  const at::Tensor target = at::arange(2 * 9 * 11, at::kLong).view({2, 9, 11}).remainder(3);
  for (const bool align_corners : {false, true}) {
    const at::Tensor large = kernels::resize_maps(logits, 9, 11, align_corners);
    EXPECT_THAT(loss(logits, target, {{"align_corners", align_corners}}), all_close(loss(large, target), 1e-6));
  }
}

TEST_F(CrossEntropyTest, CountsNeitherIgnoredNorUndecidedPixels) {
  const at::Tensor logits = contract_images(1, 6, 6);
  at::Tensor target = at::ones({1, 6, 6}, at::kLong);
  const at::Tensor upper = loss(logits.slice(2, 0, 2), target.slice(1, 0, 2));
  target.slice(1, 2, 4).fill_(kIgnoreLabel);
  target.slice(1, 4, 6).fill_(kUndecidedLabel);
  EXPECT_THAT(loss(logits, target), all_close(upper, 1e-6));
}

}  // namespace
}  // namespace seedbed::testing
