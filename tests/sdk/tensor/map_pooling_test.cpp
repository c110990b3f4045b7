#include "seedbed/kernels/map_pooling.hpp"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "seedbed/error.hpp"
#include "support/tensor_matchers.hpp"

namespace seedbed::kernels {
namespace {

using testing::all_close;

// One class on four cells.
at::Tensor maps() { return at::tensor({1.0f, 4.0f, -2.0f, 3.0f}).view({1, 1, 2, 2}); }

at::Tensor scores(double value) { return at::full({1, 1}, value, at::kFloat); }

TEST(MapPooling, FollowsItsRule) {
  EXPECT_THAT(pool_maps(maps(), {}), all_close(scores(1.5), 1e-6));
  EXPECT_THAT(pool_maps(maps(), {.rule = "gmp"}), all_close(scores(4), 1e-6));
  EXPECT_THAT(pool_maps(maps(), {.rule = "top_k", .top_cells = 2}), all_close(scores(3.5), 1e-6));
  EXPECT_THAT(pool_maps(maps(), {.rule = "top_k", .top_cells = 99}), all_close(scores(1.5), 1e-6));
  // (4 + 3/2 + 1/4 - 2/8) / (1 + 1/2 + 1/4 + 1/8)
  EXPECT_THAT(pool_maps(maps(), {.rule = "gwrp", .rank_decay = 0.5}), all_close(scores(5.5 / 1.875), 1e-6));
}

TEST(MapPooling, SoftmaxGoesFromTheMaximumToTheMean) {
  EXPECT_THAT(pool_maps(maps(), {.rule = "softmax", .temperature = 1e-3}), all_close(scores(4), 1e-6));
  EXPECT_THAT(pool_maps(maps(), {.rule = "softmax", .temperature = 1e6}), all_close(scores(1.5), 1e-4));
}

TEST(MapPooling, RefusesAnUnknownRule) {
  EXPECT_THAT([] { pool_maps(maps(), {.rule = "median"}); },
              ::testing::ThrowsMessage<UserError>(::testing::HasSubstr("`median`")));
}

}  // namespace
}  // namespace seedbed::kernels
