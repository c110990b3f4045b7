#include "seedbed/kernels/permutohedral.hpp"

#include <limits>
#include <thread>

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
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

/// What the lattice approximates, in double precision. planes [P,n].
at::Tensor gaussian_sums(const at::Tensor& features, const at::Tensor& planes) {
  const at::Tensor f = features.to(at::kDouble);
  const at::Tensor distances = (f.unsqueeze(0) - f.unsqueeze(1)).square().sum(2);
  return at::matmul(planes.to(at::kDouble), distances.mul(-0.5).exp()).to(at::kFloat);
}

/// A photograph's stand-in: colours that change slowly, with an edge in the middle.
at::Tensor picture(std::int64_t height, std::int64_t width) {
  at::Tensor image = formula_input("permutohedral.picture", {height, width, 3}, 0, 20);
  image.slice(1, width / 2).add_(120);
  return image.to(at::kByte);
}

/// Means under the filter: what is left when the lattice's own scale is divided out.
at::Tensor means(const at::Tensor& sums) { return sums.slice(0, 1) / sums.slice(0, 0, 1); }

TEST(PermutohedralLattice, ComesNearGaussianMeans) {
  const at::Tensor columns = at::arange(1200, at::kFloat).remainder(40);
  const at::Tensor planes = at::stack({at::ones({1200}), columns / 40, columns.lt(20).to(at::kFloat)});
  const at::Tensor places = spatial_features(30, 40, 4.0);
  const at::Tensor wanted = means(gaussian_sums(places, planes));
  EXPECT_LT((means(PermutohedralLattice(places).filter(planes)) - wanted).abs().mean().item<double>(), 0.01);

  const at::Tensor features = bilateral_features(picture(30, 40), 10.0, 13.0);
  const at::Tensor wanted_of_colours = means(gaussian_sums(features, planes));
  const at::Tensor found_of_colours = means(PermutohedralLattice(features).filter(planes));
  EXPECT_LT((found_of_colours - wanted_of_colours).abs().mean().item<double>(), 0.02);
}

TEST(PermutohedralLattice, ServesEveryDimensionThatItNames) {
  for (std::int64_t d = 1; d <= 7; ++d) {
    const at::Tensor features = formula_input("permutohedral.features", {400, d}, 0, 1);
    const at::Tensor planes = at::cat({at::ones({1, 400}), features.t()});
    const PermutohedralLattice lattice(features);
    const double error =
        (means(lattice.filter(planes)) - means(gaussian_sums(features, planes))).abs().mean().item<double>();
    EXPECT_LT(error, 0.03) << d << " dimensions";
  }
}

// The gradient of a loss through the filter is the filter in the other blur order.
TEST(PermutohedralLattice, IsTransposedByTheOtherBlurOrder) {
  const PermutohedralLattice lattice(bilateral_features(picture(12, 17), 5.0, 9.0));
  const at::Tensor a = formula_input("permutohedral.a", {1, 204}, -1, 1),
                   b = formula_input("permutohedral.b", {1, 204}, -1, 1);
  const double forward = (lattice.filter(a) * b).sum().item<double>();
  EXPECT_NEAR((lattice.filter(b, BlurOrder::reversed) * a).sum().item<double>(), forward, 1e-3);
  EXPECT_GT(std::abs((lattice.filter(b) * a).sum().item<double>() - forward), 1e-3) << "one order is not symmetric";
}

TEST(PermutohedralLattice, FiltersEachPlaneByItself) {
  const PermutohedralLattice lattice(bilateral_features(picture(9, 14), 5.0, 9.0));
  for (const std::int64_t count : {1, 4, 5, 9, 16, 17, 21, 40}) {
    const at::Tensor planes = formula_input("permutohedral.planes", {count, 126}, -1, 1);
    const at::Tensor together = lattice.filter(planes);
    for (std::int64_t p = 0; p < count; ++p) {
      EXPECT_THAT(lattice.filter(planes.slice(0, p, p + 1)), all_close(together.slice(0, p, p + 1), 1e-5, 1e-5))
          << "plane " << p << " of " << count;
    }
  }
  EXPECT_EQ(lattice.filter(at::empty({0, 126})).size(0), 0);
}

TEST(PermutohedralLattice, KeepsFarThingsApart) {
  const at::Tensor features = at::tensor({0.0, 0.0, 100.0, -40.0, 0.1, 0.0}, at::kFloat).view({3, 2});
  const at::Tensor sums =
      PermutohedralLattice(features).filter(at::tensor({1.0, 10.0, 100.0}, at::kFloat).view({1, 3}));
  EXPECT_NEAR(sums[0][1].item<double>(), 10.0, 4.0) << "only itself";
  EXPECT_GT(sums[0][0].item<double>(), 50.0) << "its near neighbour as well";
}

TEST(PermutohedralLattice, CountsRowsAndPoints) {
  const PermutohedralLattice lattice(spatial_features(40, 50, 10.0));
  EXPECT_EQ(lattice.rows(), 2000);
  EXPECT_GT(lattice.points(), 4 * 5);
  EXPECT_LT(lattice.points(), 500) << "many rows share a point";
  EXPECT_EQ(PermutohedralLattice(at::zeros({7, 5})).points(), 6) << "one simplex";
}

TEST(PermutohedralLattice, GivesTheSameBitsOnAnyThread) {
  const PermutohedralLattice lattice(bilateral_features(picture(20, 30), 8.0, 9.0));
  const at::Tensor planes = formula_input("permutohedral.threads", {21, 600}, 0, 1);
  const at::Tensor here = lattice.filter(planes);
  at::Tensor there;
  std::thread([&] { there = lattice.filter(planes); }).join();
  EXPECT_THAT(there, equals_tensor(here));
}

TEST(PermutohedralLattice, LeavesItsArgumentsAlone) {
  const at::Tensor features = spatial_features(5, 6, 2.0), planes = at::ones({2, 30});
  const at::Tensor before = features.clone();
  PermutohedralLattice(features).filter(planes);
  EXPECT_THAT(features, equals_tensor(before));
  EXPECT_THAT(planes, equals_tensor(at::ones({2, 30})));
  const at::Tensor turned = formula_input("permutohedral.turned", {30, 2}, 0, 1).t();
  EXPECT_THAT(PermutohedralLattice(features).filter(turned),
              equals_tensor(PermutohedralLattice(features).filter(turned.contiguous())));
}

TEST(PermutohedralLattice, RefusesOtherTensors) {
  const auto refused = [](const at::Tensor& features) { PermutohedralLattice lattice(features); };
  EXPECT_THROW(refused({}), ContractError);
  EXPECT_THROW(refused(at::zeros({4})), ContractError);
  EXPECT_THROW(refused(at::zeros({0, 2})), ContractError);
  EXPECT_THROW(refused(at::zeros({4, 0})), ContractError);
  EXPECT_THROW(refused(at::zeros({4, 8})), ContractError);
  EXPECT_THROW(refused(at::zeros({4, 2}, at::kDouble)), ContractError);
  EXPECT_THROW(refused(at::full({4, 2}, std::numeric_limits<float>::quiet_NaN())), ContractError);
  const PermutohedralLattice lattice(at::zeros({4, 2}));
  EXPECT_THROW(lattice.filter(at::zeros({1, 5})), ContractError);
  EXPECT_THROW(lattice.filter(at::zeros({4})), ContractError);
  EXPECT_THROW(lattice.filter(at::zeros({1, 4}, at::kDouble)), ContractError);
}

TEST(PermutohedralLattice, SaysWhenFeaturesSpreadTooFar) {
  at::Tensor features = at::zeros({2, 5});
  features[1].fill_(1e8);
  EXPECT_THAT([&] { PermutohedralLattice lattice(features); },
              ThrowsMessage<UserError>(HasSubstr("more lattice cells")));
  features[1].fill_(2e4);  // each axis can be numbered, all five together cannot
  EXPECT_THAT([&] { PermutohedralLattice lattice(features); },
              ThrowsMessage<UserError>(HasSubstr("more lattice cells")));
  features[1].fill_(500);
  EXPECT_EQ(PermutohedralLattice(features).points(), 12);
}

TEST(LatticeFeatures, AreInUnitsOfTheirDeviations) {
  const at::Tensor image = at::arange(18, at::kByte).view({2, 3, 3});
  const at::Tensor features = bilateral_features(image, 2.0, 4.0);
  EXPECT_THAT(features[4], all_close(at::tensor({0.5, 0.5, 3.0, 3.25, 3.5}, at::kFloat), 1e-6));
  EXPECT_THAT(bilateral_features(image.to(at::kFloat), 2.0, 4.0), equals_tensor(features));
  EXPECT_THAT(features.slice(1, 0, 2), equals_tensor(spatial_features(2, 3, 2.0)));
  EXPECT_THROW(spatial_features(0, 3, 1.0), ContractError);
  EXPECT_THROW(spatial_features(2, 3, 0.0), ContractError);
  EXPECT_THROW(bilateral_features(image, 1.0, 0.0), ContractError);
  EXPECT_THROW(bilateral_features(image.to(at::kInt), 1.0, 1.0), ContractError);
  EXPECT_THROW(bilateral_features(image.slice(2, 0, 2), 1.0, 1.0), ContractError);
}

}  // namespace
}  // namespace seedbed::kernels
