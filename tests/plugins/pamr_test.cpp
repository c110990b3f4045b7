#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include "contract/methods_under_test.hpp"
#include "seedbed/kernels/pixel_adaptive.hpp"
#include "seedbed/kernels/resize.hpp"
#include "seedbed/refiner.hpp"
#include "support/tensor_matchers.hpp"

namespace seedbed::testing {
namespace {

class PamrTest : public ::testing::Test {
 protected:
  at::Tensor refined(const ParameterValues& parameters = {}) {
    const auto refiner = make<Refiner>(MethodKind::refiner, "pamr", contract_context(run_, 2, false), parameters);
    RefineRequest request;
    request.images_nhwc = images_;
    request.maps.scores_nphw = maps_;
    request.maps.planes = {1, 2};
    request.maps.covered.resize(2);
    request.run = &run_;
    RefineResult result = refiner->refine(request);
    EXPECT_EQ(result.maps.covered.front().bottom, 24.0);
    EXPECT_EQ(result.maps.covered.front().right, 30.0);
    return result.maps.scores_nphw;
  }

  at::Tensor images_ = contract_images_raw(2, 24, 30);
  at::Tensor maps_ = contract_images(2, 6, 8).slice(1, 0, 2).relu();
  FakeRun run_;
};

TEST_F(PamrTest, IsTheKernelOnColoursInZeroToOne) {
  const at::Tensor images = images_.permute({0, 3, 1, 2}).to(at::kFloat) / 255.0;
  const at::Tensor planes = kernels::resize_maps(maps_, 24, 30, /*align_corners=*/true);
  EXPECT_THAT(refined(), all_close(kernels::pixel_adaptive_refine(images, planes, kernels::pamr_options()), 1e-6));
}

TEST_F(PamrTest, ObeysItsParameters) {
  EXPECT_THAT(refined({{"iterations", std::int64_t{0}}}), all_close(kernels::resize_maps(maps_, 24, 30, true), 1e-6));
  EXPECT_THAT(refined({{"iterations", std::int64_t{0}}, {"align_corners", false}}),
              all_close(kernels::resize_maps(maps_, 24, 30, false), 1e-6));
  const at::Tensor defaults = refined();
  EXPECT_FALSE(at::allclose(refined({{"dilations", std::vector<std::int64_t>{1}}}), defaults, 0, 1e-3));
  EXPECT_FALSE(at::allclose(refined({{"colour_weight", 1.0}}), defaults, 0, 1e-3));
}

// Every pixel takes a mean of its neighbours: no value leaves the range of the map.
TEST_F(PamrTest, StaysWithinTheRangeOfItsMaps) {
  const at::Tensor result = refined();
  EXPECT_GE(result.min().item<double>(), maps_.min().item<double>() - 1e-5);
  EXPECT_LE(result.max().item<double>(), maps_.max().item<double>() + 1e-5);
}

}  // namespace
}  // namespace seedbed::testing
