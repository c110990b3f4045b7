#include "seedbed/kernels/bilateral_solver.hpp"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "seedbed/error.hpp"
#include "support/formula_tensors.hpp"
#include "support/tensor_matchers.hpp"

namespace seedbed::kernels {
namespace {

using testing::all_close;
using testing::equals_tensor;
using testing::formula_input;

constexpr std::int64_t kHeight = 20, kWidth = 30, kMiddle = 15;

/// Two halves that differ by 150 steps, a little textured.
at::Tensor halves() {
  at::Tensor image = formula_input("bilateral_solver.image", {kHeight, kWidth, 3}, 40, 48);
  image.slice(1, kMiddle).add_(150);
  return image.to(at::kByte);
}

at::Tensor sure() { return at::ones({kHeight, kWidth}); }

BilateralSolverOptions options(double smoothness, std::int64_t iterations = 200) {
  BilateralSolverOptions chosen;
  chosen.sigma_xy = 6;
  chosen.smoothness = smoothness;
  chosen.iterations = iterations;
  return chosen;
}

at::Tensor left(const at::Tensor& plane_hw) { return plane_hw.slice(1, 0, kMiddle); }
at::Tensor right(const at::Tensor& plane_hw) { return plane_hw.slice(1, kMiddle); }

TEST(BilateralSolve, LeavesAConstantPlaneAsItIs) {
  const at::Tensor target = at::full({1, kHeight, kWidth}, 0.3F);
  EXPECT_THAT(bilateral_solve(halves(), target, sure(), {}), all_close(target, 1e-6));
}

TEST(BilateralSolve, AveragesWhereTheImageIsFlatAndKeepsItsEdges) {
  at::Tensor target = formula_input("bilateral_solver.target", {1, kHeight, kWidth}, 0, 0.4);
  target.slice(2, kMiddle).add_(0.6);
  const at::Tensor smooth = bilateral_solve(halves(), target, sure(), options(1000))[0];
  EXPECT_THAT(left(smooth), all_close(at::full({kHeight, kMiddle}, left(target[0]).mean().item<float>()), 0.05));
  EXPECT_THAT(right(smooth), all_close(at::full({kHeight, kMiddle}, right(target[0]).mean().item<float>()), 0.05));
  // Less smoothness stays nearer to the target.
  const at::Tensor loose = bilateral_solve(halves(), target, sure(), options(0.1))[0];
  EXPECT_LT((loose - target[0]).abs().mean().item<double>(), (smooth - target[0]).abs().mean().item<double>());
  EXPECT_GT(left(loose).std().item<double>(), left(smooth).std().item<double>());
}

TEST(BilateralSolve, FillsWhatIsUnsureFromItsLike) {
  at::Tensor target = at::zeros({1, kHeight, kWidth});
  target.slice(2, kMiddle).fill_(1.0);
  at::Tensor confidence = sure();
  confidence.slice(0, 0, kHeight / 2).zero_();
  target.slice(1, 0, kHeight / 2).fill_(0.5);
  const at::Tensor found = bilateral_solve(halves(), target, confidence, options(4))[0];
  EXPECT_LT(left(found).max().item<double>(), 0.1);
  EXPECT_GT(right(found).min().item<double>(), 0.9);
}

TEST(BilateralSolve, IsLinearAndSolvesEachPlaneByItself) {
  const at::Tensor confidence = formula_input("bilateral_solver.confidence", {kHeight, kWidth}, 0.2, 1);
  const at::Tensor targets = formula_input("bilateral_solver.targets", {21, kHeight, kWidth}, 0, 1);
  const at::Tensor all = bilateral_solve(halves(), targets, confidence, options(10));
  for (const std::int64_t p : {0, 7, 15, 16, 20}) {
    EXPECT_THAT(bilateral_solve(halves(), targets.slice(0, p, p + 1), confidence, options(10))[0],
                all_close(all[p], 1e-4));
  }
  const at::Tensor mixed = 0.25 * targets[0] + 0.5 * targets[1];
  EXPECT_THAT(bilateral_solve(halves(), mixed.unsqueeze(0), confidence, options(10))[0],
              all_close(0.25 * all[0] + 0.5 * all[1], 1e-4));
  EXPECT_EQ(bilateral_solve(halves(), at::empty({0, kHeight, kWidth}), confidence, {}).size(0), 0);
}

// A direction of the lattice that is left out, or counted twice, shows as a spread that is wider one way.
TEST(BilateralSolve, SpreadsAlikeAlongRowsAndColumns) {
  constexpr std::int64_t kSide = 61;
  at::Tensor target = at::zeros({1, kSide, kSide});
  target[0][kSide / 2][kSide / 2] = 1.0;
  const at::Tensor grey = at::full({kSide, kSide, 3}, 128, at::kByte);
  const at::Tensor spread = bilateral_solve(grey, target, at::ones({kSide, kSide}), options(30))[0].to(at::kDouble);
  const at::Tensor away = (at::arange(kSide, at::kDouble) - kSide / 2).square();
  const double rows = (spread.sum(1) * away).sum().item<double>(),
               columns = (spread.sum(0) * away).sum().item<double>();
  EXPECT_NEAR(rows / columns, 1.0, 0.1);
}

TEST(BilateralSolve, StaysWithinTheTargetsRange) {
  const at::Tensor target = formula_input("bilateral_solver.range", {3, kHeight, kWidth}, -2, 5);
  for (const std::int64_t iterations : {0, 1, 3}) {
    const at::Tensor found = bilateral_solve(halves(), target, sure(), options(50, iterations));
    EXPECT_TRUE(found.flatten(1).amax(1).le(target.flatten(1).amax(1)).all().item<bool>());
    EXPECT_TRUE(found.flatten(1).amin(1).ge(target.flatten(1).amin(1)).all().item<bool>());
  }
}

TEST(BilateralSolve, WithoutConfidenceChangesNothing) {
  const at::Tensor target = formula_input("bilateral_solver.target", {2, kHeight, kWidth}, 0, 1);
  EXPECT_THAT(bilateral_solve(halves(), target, at::zeros({kHeight, kWidth}), {}), equals_tensor(target));
}

TEST(BilateralSolve, RefusesWhatDoesNotFit) {
  const at::Tensor target = at::zeros({1, kHeight, kWidth});
  const auto solve = [](const at::Tensor& image, const at::Tensor& targets, const at::Tensor& confidence,
                        const BilateralSolverOptions& chosen = {}) {
    bilateral_solve(image, targets, confidence, chosen);
  };
  EXPECT_THROW(solve({}, target, sure()), ContractError);
  EXPECT_THROW(solve(halves().to(at::kInt), target, sure()), ContractError);
  EXPECT_THROW(solve(halves(), target[0], sure()), ContractError);
  EXPECT_THROW(solve(halves(), target.to(at::kDouble), sure()), ContractError);
  EXPECT_THROW(solve(halves(), target, sure().slice(0, 1)), ContractError);
  EXPECT_THROW(solve(halves(), target, -sure()), ContractError);
  EXPECT_THROW(solve(halves(), target, sure(), options(0)), ContractError);
  EXPECT_THROW(solve(halves(), target, sure(), options(1, -1)), ContractError);
  BilateralSolverOptions tiny;
  tiny.sigma_luma = 1e-9;
  EXPECT_THROW(solve(halves(), target, sure(), tiny), UserError);
}

}  // namespace
}  // namespace seedbed::kernels
