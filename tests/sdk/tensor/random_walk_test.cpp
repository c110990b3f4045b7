#include "seedbed/kernels/random_walk.hpp"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gmock/gmock.h>

#include "sdk/tensor/doubles.hpp"
#include "seedbed/error.hpp"
#include "support/tensor_matchers.hpp"

namespace seedbed::testing {
namespace {

using kernels::CellOffset;

/// The walk as it is published: a matrix over all cells, squared.
at::Tensor dense_walk(const at::Tensor& maps_phw, const at::Tensor& affinities_ohw,
                      const std::vector<CellOffset>& offsets, double beta, std::int64_t log_steps) {
  const std::int64_t height = maps_phw.size(1), width = maps_phw.size(2);
  at::Tensor matrix = at::eye(height * width, at::kDouble);
  for (std::size_t o = 0; o < offsets.size(); ++o) {
    for (std::int64_t y = 0; y + offsets[o].dy < height; ++y) {
      for (std::int64_t x = 0; x < width; ++x) {
        const std::int64_t to = x + offsets[o].dx;
        if (to < 0 || to >= width) continue;
        const std::int64_t i = y * width + x, j = (y + offsets[o].dy) * width + to;
        matrix[i][j] = matrix[j][i] = affinities_ohw[static_cast<std::int64_t>(o)][y][x].to(at::kDouble);
      }
    }
  }
  matrix = matrix.pow(beta);
  matrix = matrix / matrix.sum(0, true);
  for (std::int64_t i = 0; i < log_steps; ++i) matrix = matrix.matmul(matrix);
  return maps_phw.flatten(1).to(at::kDouble).matmul(matrix).view_as(maps_phw).to(at::kFloat);
}

struct Case {
  at::Tensor maps, affinities;
  std::vector<CellOffset> offsets;
};

Case random_case(std::int64_t planes, std::int64_t height, std::int64_t width, std::int64_t radius) {
  Case made{{}, {}, kernels::half_disc(radius)};
  const at::Generator rng = generator(3);
  made.maps = at::rand({planes, height, width}, rng);
  made.affinities = at::rand({static_cast<std::int64_t>(made.offsets.size()), height, width}, rng);
  return made;
}

TEST(HalfDisc, HasEachPairOnce) {
  EXPECT_EQ(kernels::half_disc(5).size(), 34u);    // IRN, inference
  EXPECT_EQ(kernels::half_disc(10).size(), 152u);  // IRN, training
  EXPECT_TRUE(kernels::half_disc(1).empty());
  EXPECT_EQ(kernels::half_disc(2), (std::vector<CellOffset>{{0, 1}, {1, -1}, {1, 0}, {1, 1}}));
  EXPECT_THROW(kernels::half_disc(0), ContractError);
}

TEST(RandomWalk, AgreesWithTheDenseForm) {
  for (const auto& [planes, height, width, radius] : {std::tuple{1, 5, 5, 3},
                                                      {2, 7, 4, 5},
                                                      {3, 12, 17, 5},
                                                      {4, 3, 33, 4},
                                                      {6, 9, 16, 2},
                                                      {9, 1, 1, 3},
                                                      {1, 2, 2, 5}}) {
    const Case given = random_case(planes, height, width, radius);
    for (const std::int64_t log_steps : {0, 1, 3, 8}) {
      SCOPED_TRACE(::testing::Message() << planes << " maps " << height << "x" << width << ", radius " << radius
                                        << ", log_steps " << log_steps);
      EXPECT_THAT(kernels::random_walk(given.maps, given.affinities, given.offsets, 4.0, log_steps),
                  all_close(dense_walk(given.maps, given.affinities, given.offsets, 4.0, log_steps), 2e-5, 1e-4));
    }
  }
}

TEST(RandomWalk, KeepsAConstantMap) {
  const Case given = random_case(1, 11, 19, 5);
  const at::Tensor constant = at::full({1, 11, 19}, 0.7);
  EXPECT_THAT(kernels::random_walk(constant, given.affinities, given.offsets, 10, 8), all_close(constant, 1e-4));
}

// Where no edge crosses a wall of cells, nothing does: exactly.
TEST(RandomWalk, StaysOnItsSideOfAWall) {
  Case given = random_case(1, 8, 12, 3);
  given.affinities.fill_(1);
  for (std::size_t o = 0; o < given.offsets.size(); ++o) {
    for (std::int64_t x = 0; x < 12; ++x) {
      const bool crosses = (x < 6) != (x + given.offsets[o].dx < 6);
      if (crosses) given.affinities[static_cast<std::int64_t>(o)].select(1, x).fill_(0);
    }
  }
  at::Tensor maps = at::zeros({1, 8, 12});
  maps.slice(2, 0, 6).fill_(1);
  EXPECT_THAT(kernels::random_walk(maps, given.affinities, given.offsets, 1, 8), all_close(maps, 1e-4));
  EXPECT_EQ(kernels::random_walk(maps, given.affinities, given.offsets, 1, 8).slice(2, 6).abs().max().item<double>(),
            0);
}

TEST(RandomWalk, GivesTheSameBitsForAnyNumberOfThreads) {
  const Case given = random_case(5, 40, 23, 5);
  const int before = at::get_num_threads();
  at::set_num_threads(1);
  const at::Tensor one = kernels::random_walk(given.maps, given.affinities, given.offsets, 8, 4);
  at::set_num_threads(3);
  const at::Tensor three = kernels::random_walk(given.maps, given.affinities, given.offsets, 8, 4);
  at::set_num_threads(before);
  EXPECT_THAT(three, equals_tensor(one));
}

TEST(RandomWalk, RefusesWhatDoesNotFit) {
  const Case given = random_case(2, 6, 7, 3);
  const auto walk = [&](const at::Tensor& maps, const at::Tensor& affinities, std::vector<CellOffset> offsets,
                        double beta, std::int64_t log_steps) {
    return kernels::random_walk(maps, affinities, offsets, beta, log_steps);
  };
  EXPECT_THROW(walk(given.maps.slice(1, 1), given.affinities, given.offsets, 8, 2), ContractError);
  EXPECT_THROW(walk(given.maps, given.affinities.slice(0, 1), given.offsets, 8, 2), ContractError);
  EXPECT_THROW(walk(given.maps.to(at::kDouble), given.affinities, given.offsets, 8, 2), ContractError);
  EXPECT_THROW(walk(given.maps, given.affinities.slice(0, 0, 1), {{-1, 0}}, 8, 2), ContractError);
  EXPECT_THROW(walk(given.maps, given.affinities, given.offsets, 0, 2), ContractError);
  EXPECT_THROW(walk(given.maps, given.affinities, given.offsets, 8, kernels::kMostLogSteps + 1), ContractError);
  EXPECT_THROW(walk(given.maps, given.affinities, given.offsets, 8, -1), ContractError);
}

TEST(CellPairs, SortsPairsByTheirLabels) {
  // One row of sources of radius 2: the cell (0,1) of a 2 x 3 map, and its four neighbours behind it.
  const kernels::SourceCells sources = kernels::sources_within(2, 3, 2);
  EXPECT_EQ(sources.rows * sources.columns, 1);
  const at::Tensor labels = at::tensor({9, 2, 2, 255, 0, 2}, at::kLong).view({1, 2, 3});
  const kernels::PairTargets targets = kernels::pair_targets(labels, kernels::half_disc(2), sources, 21);
  const auto found = [](const at::Tensor& pairs) { return pairs.flatten().to(at::kLong); };
  EXPECT_THAT(found(targets.foreground_nos), equals_tensor(at::tensor({1, 0, 0, 1}, at::kLong)));
  EXPECT_THAT(found(targets.different_nos), equals_tensor(at::tensor({0, 0, 1, 0}, at::kLong)));
  EXPECT_EQ(targets.background_nos.sum().item<std::int64_t>(), 0);
  const kernels::PairTargets fewer = kernels::pair_targets(labels, kernels::half_disc(2), sources, 2);
  EXPECT_EQ(fewer.foreground_nos.sum().item<std::int64_t>(), 0) << "class 2 does not count";
  EXPECT_THROW(kernels::pair_targets(labels.to(at::kInt), kernels::half_disc(2), sources, 21), ContractError);
  EXPECT_THROW(kernels::affinity_losses(at::zeros({1, 1, 1}), targets), ContractError);
}

TEST(CellPairs, HasNoSourcesWhereTheMapIsSmallerThanTheDisc) {
  EXPECT_EQ(kernels::sources_within(4, 9, 5).rows, 0);
  EXPECT_EQ(kernels::sources_within(5, 8, 5).columns, 0);
  EXPECT_EQ(kernels::sources_within(5, 9, 5).columns, 1);
}

TEST(CellPairs, TakesTheLabelAtACellsCentre) {
  const at::Tensor labels = at::arange(16, at::kLong).view({1, 1, 16}).expand({1, 8, 16});
  EXPECT_THAT(kernels::labels_at_cells(labels, 2, 4)[0][0], equals_tensor(at::tensor({2, 6, 10, 14}, at::kLong)));
}

}  // namespace
}  // namespace seedbed::testing
