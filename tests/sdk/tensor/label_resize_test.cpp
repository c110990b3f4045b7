#include "seedbed/kernels/label_resize.hpp"

#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include "seedbed/error.hpp"
#include "support/tensor_matchers.hpp"

namespace seedbed::kernels {
namespace {

using ::testing::ElementsAre;
using testing::equals_tensor;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

// Labels that say their column.
std::vector<std::int64_t> columns_of(std::int64_t from, std::int64_t to, LabelSampling sampling) {
  const at::Tensor labels = at::arange(from, at::kLong).view({1, 1, from}).expand({1, 3, from});
  const at::Tensor resized = resize_labels(labels, 3, to, sampling).select(1, 2).contiguous();
  return {resized.data_ptr<std::int64_t>(), resized.data_ptr<std::int64_t>() + to};
}

TEST(ResizeLabels, TakesThePixelUnderTheCentreTheOriginOrTheCorner) {
  EXPECT_THAT(columns_of(9, 3, LabelSampling::centres), ElementsAre(1, 4, 7));
  EXPECT_THAT(columns_of(9, 3, LabelSampling::origins), ElementsAre(0, 3, 6));
  EXPECT_THAT(columns_of(9, 3, LabelSampling::corners), ElementsAre(0, 4, 8));
  EXPECT_THAT(columns_of(2, 4, LabelSampling::centres), ElementsAre(0, 0, 1, 1));
  EXPECT_THAT(columns_of(5, 1, LabelSampling::corners), ElementsAre(0));
}

TEST(ResizeLabels, ShowsEveryEighthPixelOfDeepLabsCrop) {
  const std::vector<std::int64_t> columns = columns_of(321, 41, LabelSampling::corners);
  for (std::size_t i = 0; i < columns.size(); ++i) EXPECT_EQ(columns[i], static_cast<std::int64_t>(8 * i));
}

TEST(ResizeLabels, ChangesRowsAndColumnsOfEachMapAndKeepsTheKind) {
  const at::Tensor labels = at::arange(2 * 4 * 6, at::kByte).view({2, 4, 6});
  const at::Tensor resized = resize_labels(labels, 2, 3, LabelSampling::origins);
  EXPECT_THAT(resized, equals_tensor(labels.slice(1, 0, std::nullopt, 2).slice(2, 0, std::nullopt, 2)));
  EXPECT_THAT(resize_labels(labels, 4, 6, LabelSampling::centres), equals_tensor(labels));
}

TEST(ResizeLabels, RefusesNothingAndOtherShapes) {
  const at::Tensor labels = at::zeros({1, 4, 4}, at::kLong);
  EXPECT_THAT([&] { resize_labels(labels, 0, 3, LabelSampling::centres); },
              ThrowsMessage<UserError>(HasSubstr("`0 x 3`")));
  EXPECT_THAT(
      [&] {
        resize_labels(at::zeros({1, 0, 4}, at::kLong), 2, 2, LabelSampling::centres);
      },
      ThrowsMessage<UserError>(HasSubstr("from nothing")));
  EXPECT_THAT([&] { resize_labels(labels[0], 2, 2, LabelSampling::centres); },
              ThrowsMessage<ContractError>(HasSubstr("[N,H,W]")));
}

}  // namespace
}  // namespace seedbed::kernels
