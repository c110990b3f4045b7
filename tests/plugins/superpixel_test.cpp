// Segmentation of images and merging of regions; pooling has its goldens.
#include <set>

#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include "graph_segmentation.hpp"
#include "merge_queue.hpp"
#include "merge_rounds.hpp"
#include "plugins/smooth_images.hpp"
#include "region_adjacency.hpp"
#include "region_pooling.hpp"
#include "sdk/tensor/doubles.hpp"
#include "segmentation.hpp"
#include "slic.hpp"
#include "superpixel.hpp"
#include "support/goldens.hpp"
#include "support/tensor_matchers.hpp"

namespace seedbed::testing {
namespace {

using namespace superpixel;

constexpr std::int64_t kHeight = 60, kWidth = 80;

// 0 the ground, 1 a disc, 2 a rectangle. [H,W] int64
at::Tensor shapes() {
  const at::Tensor y = at::arange(kHeight, at::kDouble).view({kHeight, 1});
  const at::Tensor x = at::arange(kWidth, at::kDouble).view({1, kWidth});
  at::Tensor shapes = at::zeros({kHeight, kWidth}, at::kLong);
  shapes.masked_fill_(((y - 28).square() + (x - 24).square()).lt(15 * 15), 1);
  shapes.slice(0, 30, 50).slice(1, 48, 72).fill_(2);
  return shapes;
}

// The shapes in colours of their own, with a texture of a few grey levels.
at::Tensor image_of_shapes() {
  const at::Tensor colours = at::tensor({90, 120, 60, 200, 60, 50, 60, 70, 190}, at::kLong).view({3, 3});
  const at::Tensor plain = colours.index_select(0, shapes().flatten()).view({kHeight, kWidth, 3});
  const at::Tensor texture = (smooth_images(1, kHeight, kWidth)[0].permute({1, 2, 0}) * 6).round().to(at::kLong);
  return (plain + texture).clamp(0, 255).to(at::kByte);
}

at::Tensor edges_of(const at::Tensor& numbers_hw) {
  at::Tensor edges = at::zeros(numbers_hw.sizes(), at::kBool);
  edges.slice(0, 1).logical_or_(numbers_hw.slice(0, 1).ne(numbers_hw.slice(0, 0, -1)));
  edges.slice(1, 1).logical_or_(numbers_hw.slice(1, 1).ne(numbers_hw.slice(1, 0, -1)));
  return edges;
}

// Share of the true edges that have an edge of a region within `reach` pixels.
double boundary_recall(const at::Tensor& regions_hw, const at::Tensor& truth_hw, std::int64_t reach) {
  const at::Tensor near = at::max_pool2d(edges_of(regions_hw).to(at::kFloat).unsqueeze(0).unsqueeze(0),
                                         {2 * reach + 1, 2 * reach + 1}, {1, 1}, {reach, reach})[0][0]
                              .gt(0);
  const at::Tensor truth = edges_of(truth_hw);
  return near.logical_and(truth).sum().item<double>() / truth.sum().item<double>();
}

// Share of the pixels that a region's largest part does not hold (the corrected undersegmentation error).
double undersegmentation(const RegionMap& regions, const at::Tensor& truth_hw) {
  const at::Tensor majority = region_majority(truth_hw.to(at::kByte), regions);
  return majority.ne(truth_hw.to(at::kByte)).to(at::kDouble).mean().item<double>();
}

// Every region is one piece: its pixels, flooded from the first over 4 or 8 neighbours, are all of them.
void expect_connected(const RegionMap& regions, bool diagonal = false) {
  std::vector<bool> seen(regions.numbers.size(), false);
  std::set<std::int32_t> started;
  for (std::int64_t start = 0; start < static_cast<std::int64_t>(seen.size()); ++start) {
    if (seen[static_cast<std::size_t>(start)]) continue;
    const std::int32_t number = regions.numbers[static_cast<std::size_t>(start)];
    EXPECT_TRUE(started.insert(number).second) << "region " << number << " has two pieces";
    std::vector<std::int64_t> open{start};
    while (!open.empty()) {
      const std::int64_t pixel = open.back();
      open.pop_back();
      if (seen[static_cast<std::size_t>(pixel)]) continue;
      seen[static_cast<std::size_t>(pixel)] = true;
      const std::int64_t row = pixel / regions.width, column = pixel % regions.width;
      const auto visit = [&](std::int64_t r, std::int64_t c) {
        if (r >= 0 && c >= 0 && r < regions.height && c < regions.width && regions.at(r, c) == number)
          open.push_back(r * regions.width + c);
      };
      visit(row - 1, column);
      visit(row + 1, column);
      visit(row, column - 1);
      visit(row, column + 1);
      if (!diagonal) continue;
      for (const std::int64_t r : {row - 1, row + 1}) {
        visit(r, column - 1);
        visit(r, column + 1);
      }
    }
  }
}

TEST(Slic, MakesConnectedSuperpixelsThatFollowEdges) {
  const RegionMap regions = slic(image_of_shapes(), {.num_segments = 80});
  expect_connected(regions);
  EXPECT_GT(regions.count, 50);
  EXPECT_LT(regions.count, 110);
  EXPECT_GT(boundary_recall(to_tensor(regions), shapes(), 1), 0.95);
  EXPECT_LT(undersegmentation(regions, shapes()), 0.01);
}

TEST(Slic, IsAGridWithoutColours) {
  const RegionMap regions = slic(at::full({40, 60, 3}, 90, at::kByte), {.num_segments = 24});
  EXPECT_EQ(regions.count, 24);
  const at::Tensor areas = at::bincount(to_tensor(regions).flatten());
  EXPECT_GE(areas.min().item<std::int64_t>(), 60);
  EXPECT_LE(areas.max().item<std::int64_t>(), 150);
}

TEST(Slic, TakesImagesOfAnySize) {
  for (const auto& [height, width] : {std::pair{1, 1}, {1, 9}, {7, 3}}) {
    const RegionMap regions = slic(smooth_images_raw(1, height, width)[0], {});
    EXPECT_EQ(regions.numbers.size(), static_cast<std::size_t>(height * width));
    expect_connected(regions);
  }
}

// scikit-image's superpixels of the golden's photograph are others, but most of what they see as edges is one here.
TEST(Slic, FindsTheEdgesThatAnotherImplementationFinds) {
  for (const Golden& golden : method_goldens()) {
    if (golden.component() != "superpixel") continue;
    const at::Tensor image = golden.input("image");
    EXPECT_GT(boundary_recall(to_tensor(slic(image, {.num_segments = 80})), golden.input("segments_slic"), 2), 0.8);
    EXPECT_GT(boundary_recall(to_tensor(graph_segmentation(image, {})), golden.input("segments_felzenszwalb"), 1), 0.9);
    return;
  }
  GTEST_SKIP() << "the shared folder is not there";
}

TEST(GraphSegmentation, FindsShapes) {
  const RegionMap regions = graph_segmentation(image_of_shapes(), {.scale = 300});
  expect_connected(regions, /*diagonal=*/true);
  EXPECT_LE(regions.count, 12);
  EXPECT_EQ(boundary_recall(to_tensor(regions), shapes(), 1), 1.0);
  EXPECT_LT(undersegmentation(regions, shapes()), 0.005);
  const at::Tensor areas = at::bincount(to_tensor(regions).flatten());
  EXPECT_GE(areas.min().item<std::int64_t>(), 30);
}

TEST(GraphSegmentation, IsOneRegionWithoutColours) {
  EXPECT_EQ(graph_segmentation(at::full({20, 30, 3}, 90, at::kByte), {}).count, 1);
}

// ---- Merging

TEST(RegionAdjacency, CountsBordersAndAddsThemUp) {
  // Three columns of regions on an image of 2 x 6.
  const RegionMap regions = renumbered(2, 6, {0, 0, 1, 1, 2, 2, 0, 0, 1, 1, 2, 2});
  const at::Tensor image = smooth_images_raw(1, 2, 6)[0];
  RegionAdjacency adjacency(image, regions, 10);
  EXPECT_EQ(adjacency.count(), 3);
  EXPECT_EQ(adjacency.borders(0).at(1).length, 2);
  EXPECT_EQ(adjacency.perimeter(0), 8);  // two towards 1, six along the image's edge
  EXPECT_FALSE(adjacency.borders(0).contains(2));
  const double first = adjacency.borders(0).at(1).similarity, second = adjacency.borders(1).at(2).similarity;
  const std::int32_t left = adjacency.merge(0, 1);
  EXPECT_EQ(adjacency.count(), 2);
  EXPECT_EQ(adjacency.perimeter(left), 12);
  EXPECT_EQ(adjacency.content(left).area, 8);
  EXPECT_EQ(adjacency.borders(left).at(2).similarity, second);
  EXPECT_GE(first, 0);
  const RegionMap merged = adjacency.merged(regions);
  EXPECT_EQ(merged.count, 2);
  EXPECT_THAT(merged.numbers, ::testing::ElementsAre(0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 1, 1));
}

TEST(RegionMerging, BothWaysLeaveTheShapes) {
  const at::Tensor image = image_of_shapes();
  for (const Merging merging : {Merging::rounds, Merging::queue}) {
    SegmentationOptions options;
    options.slic.num_segments = 150;
    options.merging = merging;
    options.rounds.stop_below = 1.4;
    const RegionMap regions = segmented(image, options);
    expect_connected(regions);
    EXPECT_LT(regions.count, 40);
    EXPECT_GE(regions.count, 3);
    EXPECT_LT(undersegmentation(regions, shapes()), 0.02);
  }
}

TEST(RegionMerging, StopsWhereItIsTold) {
  const at::Tensor image = image_of_shapes();
  const RegionMap superpixels = slic(image, {.num_segments = 100});
  RegionAdjacency few(image, superpixels, 10);
  merge_by_distance(few, {.stop_above = 10, .min_regions = 7});
  EXPECT_EQ(few.count(), 7);
  RegionAdjacency all(image, superpixels, 10);
  merge_in_rounds(all, {.stop_below = 0.0});
  EXPECT_EQ(all.count(), 1);
  RegionAdjacency none(image, superpixels, 10);
  merge_in_rounds(none, {.stop_below = 2.0});
  EXPECT_GT(none.count(), superpixels.count / 2);
}

// Stripes of 4 columns, each of one grey level.
at::Tensor stripes(const std::vector<int>& levels) {
  at::Tensor image = at::empty({8, 4 * std::ssize(levels), 3}, at::kByte);
  for (std::int64_t i = 0; i < std::ssize(levels); ++i)
    image.slice(1, 4 * i, 4 * i + 4).fill_(levels[static_cast<std::size_t>(i)]);
  return image;
}

RegionMap striped(int count) {
  std::vector<std::int32_t> columns;
  for (int row = 0; row < 8; ++row) {
    for (int column = 0; column < 4 * count; ++column) columns.push_back(column / 4);
  }
  return renumbered(8, 4 * count, columns);
}

// The third wants the second, which wants the first: what one side alone proposes counts for less.
TEST(RegionMerging, BothSidesWantingGoesFirst) {
  const RegionMap regions = striped(3);
  RegionAdjacency adjacency(stripes({100, 103, 107}), regions, 10);
  const double mutual = readiness(adjacency, 0, 1, 10), one_sided = readiness(adjacency, 1, 2, 10);
  ASSERT_GT(mutual, one_sided);
  ASSERT_GT(one_sided / 0.9, mutual * 1.05) << "near enough for the order to depend on it";
  merge_in_rounds(adjacency, {.stop_below = mutual / 1.06});
  EXPECT_EQ(adjacency.count(), 2);
  const RegionMap merged = adjacency.merged(regions);
  EXPECT_EQ(merged.numbers[0], merged.numbers[4]);
  EXPECT_NE(merged.numbers[4], merged.numbers[8]);
}

TEST(RegionPooling, OnlyLessThanTheMarginIsVoid) {
  const RegionMap whole = striped(1);
  const at::Tensor planes = at::cat({at::full({1, 8, 4}, 0.75F), at::full({1, 8, 4}, 0.5F)});
  EXPECT_THAT(region_votes(planes, {2, 7}, whole, 0.25), equals_tensor(at::full({8, 4}, 2, at::kByte)));
  EXPECT_THAT(region_votes(planes, {2, 7}, whole, 0.26), equals_tensor(at::full({8, 4}, 255, at::kByte)));
}

TEST(RegionMerging, EqualRegionsAreReadyAndDifferentOnesAreNot) {
  at::Tensor image = at::full({8, 12, 3}, 60, at::kByte);
  image.slice(1, 8, 12).fill_(230);
  std::vector<std::int32_t> columns;
  for (int row = 0; row < 8; ++row) {
    for (int column = 0; column < 12; ++column) columns.push_back(column / 4);
  }
  const RegionAdjacency regions(image, renumbered(8, 12, columns), 10);
  EXPECT_GT(readiness(regions, 0, 1, 10), 1.2);
  EXPECT_LT(readiness(regions, 1, 2, 10), 1.1);
  EXPECT_LT(distance(regions, 0, 1), 0.1);
  EXPECT_GT(distance(regions, 1, 2), 0.2);
}

// ---- Majority

TEST(RegionMajority, LeavesPixelsInDoubtOutOfTheVote) {
  const RegionMap regions = renumbered(1, 6, {0, 0, 0, 1, 1, 1});
  const at::Tensor labels = at::tensor({255, 2, 254, 255, 255, 254}, at::kLong).to(at::kByte).view({1, 6});
  EXPECT_THAT(region_majority(labels, regions),
              equals_tensor(at::tensor({2, 2, 2, 255, 255, 254}, at::kLong).to(at::kByte).view({1, 6})));
}

TEST(SuperpixelMethods, ShareOneSegmentation) {
  FakeRun run;
  RefineRequest request;
  request.images_nhwc = image_of_shapes().unsqueeze(0);
  request.maps.planes = {0, 1, 2};
  request.maps.scores_nphw = at::one_hot(shapes(), 3).permute({2, 0, 1}).to(at::kFloat).unsqueeze(0) * 0.9;
  request.maps.covered = {{0, 0, kHeight, kWidth}};
  request.run = &run;
  SegmentationOptions options;
  options.slic.num_segments = 80;
  const at::Tensor voted = SuperpixelVote(options, 0.0).refine(request).labels.labels_nhw;
  const at::Tensor pooled = Superpixel(options).refine(request).maps.scores_nphw;
  request.labels.labels_nhw = shapes().to(at::kByte).unsqueeze(0);
  const at::Tensor counted = SuperpixelMajority(options).refine(request).labels.labels_nhw;
  EXPECT_THAT(voted, equals_tensor(pooled.argmax(1).to(at::kByte)));
  EXPECT_THAT(counted, equals_tensor(voted));
}

}  // namespace
}  // namespace seedbed::testing
