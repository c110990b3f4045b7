#include "seedbed/kernels/view_geometry.hpp"

#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include "seedbed/error.hpp"
#include "support/tensor_matchers.hpp"

namespace seedbed::kernels {
namespace {

using testing::all_close;
using testing::equals_tensor;

at::Tensor affine(double a, double b, double c, double d) {
  return at::tensor({a, 0.0, b, 0.0, c, d}, at::kDouble).view({1, 2, 3});
}

TEST(ViewRelation, OfAViewToItselfIsTheIdentity) {
  const at::Tensor view = affine(-0.5, 40, 2, -7);
  EXPECT_THAT(view_relation(view, view), equals_tensor(affine(1, 0, 1, 0)));
}

// A view of half the size, and one mirrored and cut four pixels further in.
TEST(ViewRelation, ComposesScaleFlipAndCrop) {
  const at::Tensor half = affine(2, 0, 2, 0), mirrored = affine(-1, 20, 1, 4);
  // x = 3 of the half-sized view is x = 6 of the image and 14 of the mirrored one; y = 5 is 10 and 6.
  EXPECT_THAT(view_relation(half, mirrored), equals_tensor(affine(-2, 20, 2, -4)));
}

TEST(ViewRelation, RefusesWhatIsNoAffineMap) {
  EXPECT_THROW(view_relation(at::zeros({1, 3, 3}), affine(1, 0, 1, 0)), ContractError);
  EXPECT_THROW(view_relation({}, affine(1, 0, 1, 0)), ContractError);
}

TEST(MapsInView, TheSameViewGivesTheSameMaps) {
  const at::Tensor maps = at::arange(24, at::kFloat).view({1, 2, 3, 4});
  const ViewPlane view{affine(0.5, 3, 0.5, 1), 12, 16};
  EXPECT_THAT(maps_in_view(maps, view, view, 3, 4), all_close(maps, 1e-5));
}

TEST(MapsInView, AMirroredViewSeesMirroredMaps) {
  const at::Tensor maps = at::arange(12, at::kFloat).view({1, 1, 3, 4});
  const ViewPlane plain{affine(1, 0, 1, 0), 6, 8}, mirrored{affine(-1, 8, 1, 0), 6, 8};
  EXPECT_THAT(maps_in_view(maps, plain, mirrored, 3, 4), all_close(maps.flip({3}), 1e-5));
}

TEST(MapsInView, ACropSeesItsPartAndNothingOutside) {
  const at::Tensor maps = at::arange(1, 17, at::kFloat).view({1, 1, 4, 4});
  const ViewPlane whole{affine(1, 0, 1, 0), 4, 4}, part{affine(1, 2, 1, -1), 4, 4};
  const at::Tensor seen = maps_in_view(maps, whole, part, 4, 4);
  const at::Tensor expected =
      at::tensor({0, 0, 0, 0, 3, 4, 0, 0, 7, 8, 0, 0, 11, 12, 0, 0}, at::kFloat).view({1, 1, 4, 4});
  EXPECT_THAT(seen, all_close(expected, 1e-5));
  EXPECT_THAT(covered_in_view(whole, part, 4, 4), equals_tensor(expected.gt(0)));
}

TEST(MapsInView, KeepsTheGraph) {
  at::Tensor maps = at::ones({1, 1, 4, 4}).requires_grad_(true);
  const ViewPlane view{affine(1, 0, 1, 0), 4, 4};
  maps_in_view(maps, view, view, 2, 2).sum().backward();
  EXPECT_NEAR(maps.grad().sum().item<float>(), 4, 1e-5);
}

}  // namespace
}  // namespace seedbed::kernels
