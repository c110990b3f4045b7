#include "seedbed/kernels/saliency_labels.hpp"

#include <vector>

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "seedbed/error.hpp"
#include "support/tensor_matchers.hpp"

namespace seedbed::kernels {
namespace {

using testing::equals_tensor;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

/// One row of pixels: the scores of classes 3 and 7, and the saliency.
struct Row {
  std::vector<float> class3, class7;
  std::vector<int> saliency;
};

at::Tensor labels(const Row& row, const SaliencyLabelOptions& options = {}) {
  const at::Tensor scores = at::stack({at::tensor(row.class3), at::tensor(row.class7)}).unsqueeze(1);
  return saliency_labels(scores, {3, 7}, at::tensor(row.saliency).to(at::kByte).unsqueeze(0), options)[0];
}

at::Tensor bytes(const std::vector<int>& values) { return at::tensor(values).to(at::kByte); }

TEST(SaliencyLabels, TakeTheBestClassWhereAPixelIsSalient) {
  // Above 50 is salient; a salient pixel without a class above 0.20 is ignored.
  EXPECT_THAT(labels({{0.3F, 0.5F, 0.3F, 0.19F}, {0.6F, 0.4F, 0.6F, 0.1F}, {51, 255, 50, 200}}),
              equals_tensor(bytes({7, 3, 0, 255})));
}

TEST(SaliencyLabels, LeaveASalientPixelToTheBackgroundWhereTold) {
  SaliencyLabelOptions options;
  options.ignore_salient_background = false;
  EXPECT_THAT(labels({{0.1F}, {0.1F}, {255}}, options), equals_tensor(bytes({0})));
}

TEST(SaliencyLabels, LetAScoreAboveOneWinOutsideOfTheSaliency) {
  EXPECT_THAT(labels({{1.1F, 1.0F}, {0, 0}, {0, 0}}), equals_tensor(bytes({3, 0})));
}

TEST(SaliencyLabels, IgnoreWhereEnoughPlanesAreConfident) {
  // Two classes, then two classes and the background, which counts as the third.
  const Row row{{0.95F, 0.95F, 0.95F}, {0.91F, 0.91F, 0.5F}, {255, 0, 0}};
  EXPECT_THAT(labels(row), equals_tensor(bytes({3, 255, 0})));
  SaliencyLabelOptions paper;
  paper.conflict_count = 2;
  EXPECT_THAT(labels(row, paper), equals_tensor(bytes({255, 255, 255})));
}

TEST(SaliencyLabels, NeedNoClassAtAll) {
  const at::Tensor saliency = at::tensor({0, 255}).to(at::kByte).view({1, 2});
  EXPECT_THAT(saliency_labels(at::zeros({0, 1, 2}), {}, saliency)[0], equals_tensor(bytes({0, 255})));
}

TEST(SaliencyLabels, RefuseWhatDoesNotFit) {
  const at::Tensor scores = at::zeros({1, 2, 2}), saliency = at::zeros({2, 2}, at::kByte);
  EXPECT_THAT([&] { saliency_labels(scores, {1, 2}, saliency); }, ThrowsMessage<ContractError>(HasSubstr("2 planes")));
  EXPECT_THAT([&] { saliency_labels(scores, {0}, saliency); }, ThrowsMessage<ContractError>(HasSubstr("background")));
  EXPECT_THAT([&] { saliency_labels(scores, {1}, saliency.to(at::kFloat)); },
              ThrowsMessage<ContractError>(HasSubstr("uint8")));
  EXPECT_THAT([&] { saliency_labels(scores, {1}, at::zeros({2, 3}, at::kByte)); },
              ThrowsMessage<ContractError>(HasSubstr("size")));
}

}  // namespace
}  // namespace seedbed::kernels
