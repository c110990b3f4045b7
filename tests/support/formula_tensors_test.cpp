#include "support/formula_tensors.hpp"

#include <cmath>

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "support/tensor_matchers.hpp"

namespace seedbed::testing {
namespace {

// The first values of goldens/formula.py: unit("conv1.weight", 3).
const at::Tensor& reference() {
  static const at::Tensor values =
      at::tensor({0.5450749789171447, 0.745161751328336, 0.022921737033572143}, at::kDouble);
  return values;
}

TEST(FormulaTensors, FollowTheReference) { EXPECT_THAT(formula_unit("conv1.weight", 3), equals_tensor(reference())); }

TEST(FormulaTensors, ScaleByRankAndName) {
  const at::Tensor v = reference() * 2 - 1;
  const auto expect = [&](at::IntArrayRef shape, const at::Tensor& wanted) {
    EXPECT_THAT(formula_weight("conv1.weight", shape), all_close(wanted.to(at::kFloat).reshape(shape), 1e-7));
  };
  expect({3}, v * 0.1 + 1);
  expect({1, 3}, v);  // sqrt(3 / 3)
  expect({1, 1, 3}, v * 0.5);
  expect({3, 1, 1, 1}, v * std::sqrt(6.0));
  EXPECT_THAT(formula_weight("bn.num_batches_tracked", {}), equals_tensor(at::zeros({}, at::kLong)));
  EXPECT_EQ(formula_weight("bn.running_var", {4}).gt(0.4).all().item<bool>(), true);
  EXPECT_THAT(formula_input("conv1.weight", {3}, 0, 255), all_close((reference() * 255).to(at::kFloat), 1e-4));
}

}  // namespace
}  // namespace seedbed::testing
