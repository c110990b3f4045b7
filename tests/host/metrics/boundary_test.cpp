#include "metrics/boundary.hpp"

#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include "seedbed/error.hpp"
#include "support/tensor_matchers.hpp"

namespace seedbed::metrics {
namespace {

using seedbed::testing::equals_tensor;
using ::testing::DoubleNear;
using ::testing::ElementsAre;
using ::testing::Eq;
using ::testing::Optional;

at::Tensor labels_of(std::vector<std::vector<int>> rows) {
  std::vector<at::Tensor> tensors;
  for (const auto& row : rows) tensors.push_back(at::tensor(row, at::kByte));
  return at::stack(tensors);
}

// What the definition says, pixel by pixel.
LabelCounts counted_slowly(const at::Tensor& truth, const at::Tensor& prediction, std::int64_t num_labels,
                           std::int64_t width) {
  const auto on_boundary = [&](const at::Tensor& labels, std::int64_t y, std::int64_t x) {
    const int label = labels[y][x].item<int>();
    for (std::int64_t dy = -width; dy <= width; ++dy)
      for (std::int64_t dx = -width; dx <= width; ++dx) {
        const std::int64_t r = y + dy, c = x + dx;
        if (r < 0 || c < 0 || r >= labels.size(0) || c >= labels.size(1) || labels[r][c].item<int>() != label)
          return true;
      }
    return false;
  };
  LabelCounts counts(num_labels);
  for (std::int64_t y = 0; y < truth.size(0); ++y)
    for (std::int64_t x = 0; x < truth.size(1); ++x) {
      const auto t = static_cast<std::size_t>(truth[y][x].item<std::int64_t>());
      const auto p = static_cast<std::size_t>(prediction[y][x].item<std::int64_t>());
      const bool in_truth = on_boundary(truth, y, x), in_prediction = on_boundary(prediction, y, x);
      counts.truth[t] += in_truth ? 1 : 0;
      counts.predicted[p] += in_prediction ? 1 : 0;
      counts.intersection[t] += in_truth && in_prediction && t == p ? 1 : 0;
    }
  return counts;
}

TEST(BoundaryIou, IsWhatTheDefinitionSays) {
  const auto generator = at::make_generator<at::CPUGeneratorImpl>(7);
  const auto blocks = [&] {  // labels in blocks of 5, so that some pixels are inside
    return at::randint(0, 3, {5, 7}, generator, at::kByte).repeat_interleave(5, 0).repeat_interleave(5, 1);
  };
  const at::Tensor truth = blocks(), prediction = blocks();
  for (const double ratio : {0.01, 0.05}) {
    const std::int64_t width = boundary_width_px(25, 35, ratio);
    const LabelCounts found = boundary_counts(truth, prediction, 3, ratio, BoundaryVoid::dropped);
    const LabelCounts expected = counted_slowly(truth, prediction, 3, width);
    EXPECT_EQ(found.truth, expected.truth);
    EXPECT_EQ(found.predicted, expected.predicted);
    EXPECT_EQ(found.intersection, expected.intersection);
  }
}

TEST(BoundaryIou, VoidEitherMakesAnEdgeOrIsDropped) {
  // 5 x 5 of one label with void in the middle; width 1.
  const at::Tensor truth = at::zeros({5, 5}, at::kByte), prediction = at::zeros({5, 5}, at::kByte);
  truth[2][2] = 255;
  EXPECT_THAT(boundary_counts(truth, prediction, 1, 0.1, BoundaryVoid::cleared).predicted, ElementsAre(24));
  EXPECT_THAT(boundary_counts(truth, prediction, 1, 0.1, BoundaryVoid::dropped).predicted, ElementsAre(16));
}

TEST(BoundaryIou, AWidthIsAtLeastOneAndHalvesGoToEven) {
  EXPECT_EQ(boundary_width_px(3, 4, 0.02), 1);
  EXPECT_EQ(boundary_width_px(30, 40, 0.05), 2);  // 2.5
  EXPECT_EQ(boundary_width_px(30, 40, 0.07), 4);  // 3.5
}

TEST(BoundaryF, IsOneNothingOrBetween) {
  const at::Tensor half = labels_of({{1, 1, 1, 0, 0, 0, 0, 0}, {1, 1, 1, 0, 0, 0, 0, 0}});
  const at::Tensor shifted = labels_of({{1, 1, 1, 1, 1, 0, 0, 0}, {1, 1, 1, 1, 1, 0, 0, 0}});
  const at::Tensor none = at::zeros({2, 8}, at::kByte);
  const auto f = [](const at::Tensor& truth, const at::Tensor& prediction, std::int64_t pixels) {
    return boundary_f(truth, prediction, 3, BoundaryTolerance{.pixels = pixels});
  };
  EXPECT_THAT(f(half, half, 0), ElementsAre(Optional(1.0), Optional(1.0), Eq(std::nullopt)));
  EXPECT_THAT(f(half, shifted, 1), ElementsAre(Optional(0.0), Optional(0.0), Eq(std::nullopt)));
  EXPECT_THAT(f(half, shifted, 2), ElementsAre(Optional(1.0), Optional(1.0), Eq(std::nullopt)));
  // The background fills the prediction: it has no edge there.
  EXPECT_THAT(f(half, none, 2), ElementsAre(Optional(0.0), Optional(0.0), Eq(std::nullopt)));
}

// A pixel's edges are itself and those for which it is the right, the lower or the lower right neighbour: of the four
// around the truth's two are the prediction's, which has no more.
TEST(BoundaryF, EdgesLookRightDownAndAcross) {
  const at::Tensor truth = labels_of({{0, 0, 0}, {0, 1, 0}, {0, 0, 0}});
  const at::Tensor prediction = labels_of({{0, 1, 0}, {0, 0, 0}, {0, 0, 0}});
  const auto values = boundary_f(truth, prediction, 2, BoundaryTolerance{.pixels = 0});
  EXPECT_THAT(values, ElementsAre(Optional(DoubleNear(2.0 / 3, 1e-12)), Optional(DoubleNear(2.0 / 3, 1e-12))));
}

TEST(BoundaryF, AToleranceIsRoundedUp) {
  EXPECT_EQ((BoundaryTolerance{.ratio = 0.008, .pixels = {}}).in(30, 40), 1) << "0.4 pixels";
  EXPECT_EQ((BoundaryTolerance{.ratio = 0.025, .pixels = {}}).in(30, 40), 2) << "1.25 pixels";
}

TEST(Trimap, KeepsWhatIsNearAnEdge) {
  const at::Tensor truth = labels_of({{0, 0, 0, 1, 1, 255, 2, 2}});
  const auto trimap = [&](std::int64_t width, TrimapEdges edges) {
    return trimap_truth(truth, width, Distance::euclidean, edges);
  };
  EXPECT_THAT(trimap(0, TrimapEdges::classes), equals_tensor(labels_of({{255, 255, 0, 1, 255, 255, 255, 255}})));
  EXPECT_THAT(trimap(0, TrimapEdges::all), equals_tensor(labels_of({{255, 255, 0, 1, 1, 255, 2, 255}})));
  EXPECT_THAT(trimap(1, TrimapEdges::classes), equals_tensor(labels_of({{255, 0, 0, 1, 1, 255, 255, 255}})));
}

TEST(Trimap, OfAnImageWithoutEdgeIsEmpty) {
  const at::Tensor truth = at::zeros({3, 3}, at::kByte);
  EXPECT_THAT(trimap_truth(truth, 5, Distance::chessboard, TrimapEdges::all),
              equals_tensor(at::full({3, 3}, 255, at::kByte)));
}

TEST(Dilation, ADiskIsRoundAndASquareIsNot) {
  PixelSet set(7, 7);
  set.inside[24] = 1;
  EXPECT_EQ(dilated(set, 2, Distance::euclidean).count(), 13);
  EXPECT_EQ(dilated(set, 2, Distance::chessboard).count(), 25);
  EXPECT_EQ(dilated(set, 0, Distance::euclidean).count(), 1);
  EXPECT_EQ(dilated(set, 100, Distance::euclidean).count(), 49);
}

TEST(Boundary, RefusesMapsOfTwoSizes) {
  const at::Tensor small = at::zeros({2, 2}, at::kByte), large = at::zeros({3, 2}, at::kByte);
  EXPECT_THROW(boundary_counts(small, large, 2, 0.02, BoundaryVoid::cleared), ContractError);
  EXPECT_THROW(boundary_f(small, large, 2, {}), ContractError);
  EXPECT_THROW(trimap_truth(small.to(at::kLong), 1, Distance::euclidean, TrimapEdges::all), ContractError);
}

}  // namespace
}  // namespace seedbed::metrics
