#include "seedbed/kernels/dense_crf.hpp"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gmock/gmock.h>

#include "contract/methods_under_test.hpp"
#include "seedbed/kernels/resize.hpp"
#include "seedbed/refiner.hpp"
#include "support/tensor_matchers.hpp"

namespace seedbed::testing {
namespace {

constexpr std::int64_t kHeight = 24, kWidth = 30;

class DenseCrfTest : public ::testing::Test {
 protected:
  RefineResult refine(const std::string& id, RefineRequest request, const ParameterValues& parameters = {}) {
    request.run = &run_;
    return make<Refiner>(MethodKind::refiner, id, contract_context(run_, 3, false), parameters)->refine(request);
  }

  at::Tensor marginals(const ParameterValues& parameters = {}) {
    RefineRequest request;
    request.images_nhwc = images_;
    request.maps.scores_nphw = maps_;
    request.maps.planes = {0, 1, 3};
    request.maps.covered.resize(2);
    const RefineResult result = refine("dense_crf", request, parameters);
    EXPECT_EQ(result.maps.value, ValueKind::probability);
    EXPECT_EQ(result.maps.planes, request.maps.planes);
    EXPECT_EQ(result.maps.covered.at(1).bottom, kHeight);
    EXPECT_EQ(result.maps.covered.at(1).right, kWidth);
    return result.maps.scores_nphw;
  }

  LabelMaps labels(const at::Tensor& labels_hw, const ParameterValues& parameters = {}) {
    RefineRequest request;
    request.images_nhwc = images_.slice(0, 0, 1);
    request.labels.labels_nhw = labels_hw.unsqueeze(0);
    return refine("dense_crf_labels", request, parameters).labels;
  }

  at::Tensor at_image(std::int64_t n) const { return kernels::resize_maps(maps_, kHeight, kWidth, false)[n]; }

  at::Tensor images_ = contract_images_raw(2, kHeight, kWidth);
  at::Tensor maps_ = contract_images(2, 6, 8).relu() + 0.05;
  FakeRun run_;
};

/// The left half class 2, a corner of it in doubt.
at::Tensor two_halves() {
  at::Tensor labels = at::zeros({kHeight, kWidth}, at::kByte);
  labels.slice(1, 0, kWidth / 2).fill_(2);
  labels.slice(0, 0, 4).slice(1, 0, 4).fill_(kIgnoreLabel);
  labels[kHeight - 1][kWidth - 1].fill_(kUndecidedLabel);
  return labels;
}

TEST_F(DenseCrfTest, IsTheKernelOnEachImageUnderEveryUnary) {
  for (std::int64_t n = 0; n < 2; ++n) {
    const at::Tensor scores = at_image(n);
    const kernels::DenseCrf crf(images_[n], {});
    const auto wanted = [&](const at::Tensor& unary) { return all_close(crf.infer(unary, 10), 1e-6); };
    EXPECT_THAT(marginals()[n], wanted(kernels::probability_unary(scores)));
    EXPECT_THAT(marginals({{"unary", std::string("softmax")}})[n],
                wanted(kernels::probability_unary(scores.softmax(0))));
    EXPECT_THAT(marginals({{"unary", std::string("negated")}})[n], wanted(scores.neg()));
    EXPECT_THAT(marginals({{"unary", std::string("argmax")}, {"label_confidence", 0.6}})[n],
                wanted(kernels::label_unary(scores.argmax(0), 3, 0.6)));
  }
}

TEST_F(DenseCrfTest, ObeysItsParameters) {
  const at::Tensor defaults = marginals();
  for (const auto& [name, value] : {std::pair("gauss_sigma", 1.0),
                                    {"gauss_weight", 1.0},
                                    {"bilateral_xy", 20.0},
                                    {"bilateral_rgb", 4.0},
                                    {"bilateral_weight", 2.0}}) {
    EXPECT_FALSE(at::allclose(marginals({{name, value}}), defaults, 0, 1e-3)) << name;
  }
  EXPECT_FALSE(at::allclose(marginals({{"iterations", std::int64_t{1}}}), defaults, 0, 1e-3));
  EXPECT_FALSE(at::allclose(marginals({{"filter", std::string("exact")}}), defaults, 0, 1e-4));
  EXPECT_FALSE(at::allclose(marginals({{"colours", std::string("bgr_mean_wrapped")}}), defaults, 0, 1e-3));
  const at::Tensor unmoved = marginals({{"gauss_weight", 0.0}, {"bilateral_weight", 0.0}});
  EXPECT_THAT(unmoved[0], all_close(at_image(0).clamp(1e-5, 1.0) / at_image(0).clamp(1e-5, 1.0).sum(0), 1e-5));
}

TEST_F(DenseCrfTest, PrunesClassesThatNowhereMatter) {
  maps_.slice(1, 1, 2).fill_(0.01);
  const at::Tensor pruned = marginals({{"prune", 0.02}});
  EXPECT_EQ(pruned.slice(1, 1, 2).max().item<double>(), 0.0);
  EXPECT_THAT(pruned.sum(1), all_close(at::ones({2, kHeight, kWidth}), 1e-5));
  const at::Tensor kept = kernels::DenseCrf(images_[0], {})
                              .infer(kernels::probability_unary(at_image(0).index_select(0, at::tensor({0, 2}))), 10);
  EXPECT_THAT(pruned[0][2], all_close(kept[1], 1e-6));
  EXPECT_GT(marginals()[0][1].max().item<double>(), 0.0);
  // The background stays whatever its score.
  maps_.fill_(0.01);
  EXPECT_THAT(marginals({{"prune", 0.5}})[0][0], all_close(at::ones({kHeight, kWidth}), 1e-6));
}

TEST_F(DenseCrfTest, GivesTheSameBitsOnAnyNumberOfThreads) {
  const int before = at::get_num_threads();
  at::set_num_threads(1);
  const at::Tensor one = marginals();
  at::set_num_threads(2);
  EXPECT_THAT(marginals(), equals_tensor(one));
  at::set_num_threads(before);
}

TEST_F(DenseCrfTest, LabelsAreThoseOfTheBackgroundAndTheMap) {
  const at::Tensor given = two_halves();
  const LabelMaps found = labels(given, {{"confidence", true}, {"fill", true}});
  at::Tensor places = at::where(given.ge(kUndecidedLabel), -1, given.to(at::kLong) / 2).to(at::kLong);
  kernels::DenseCrfOptions options;
  options.bilateral_xy = 50;
  options.bilateral_rgb = 5;
  const at::Tensor q = kernels::DenseCrf(images_[0], options).infer(kernels::label_unary(places, 2, 0.7), 10);
  EXPECT_THAT(found.labels_nhw[0], equals_tensor((q.argmax(0) * 2).to(at::kByte)));
  EXPECT_THAT(found.confidence_nhw[0], all_close(q.amax(0), 1e-6));
}

TEST_F(DenseCrfTest, LabelsInDoubtStayThatUnlessTheyAreFilled) {
  const at::Tensor given = two_halves(), doubtful = given.ge(kUndecidedLabel);
  const LabelMaps kept = labels(given, {{"confidence", true}});
  EXPECT_THAT(kept.labels_nhw[0].masked_select(doubtful), equals_tensor(given.masked_select(doubtful)));
  EXPECT_EQ(kept.confidence_nhw[0].masked_select(doubtful).max().item<double>(), 0.0);
  EXPECT_FALSE(labels(given).confidence_nhw.defined());
  EXPECT_TRUE(labels(given, {{"fill", true}}).labels_nhw.lt(kUndecidedLabel).all().item<bool>());
  const at::Tensor sure = labels(given, {{"label_confidence", 0.999}, {"iterations", std::int64_t{0}}}).labels_nhw[0];
  EXPECT_THAT(sure, equals_tensor(given));
}

// One label divides by zero in the published unary.
TEST_F(DenseCrfTest, AnImageOfOneLabelKeepsIt) {
  EXPECT_THAT(labels(at::zeros({kHeight, kWidth}, at::kByte)).labels_nhw[0],
              equals_tensor(at::zeros({kHeight, kWidth}, at::kByte)));
  const at::Tensor nothing = at::full({kHeight, kWidth}, kIgnoreLabel, at::kByte);
  EXPECT_THAT(labels(nothing).labels_nhw[0], equals_tensor(nothing));
  EXPECT_THAT(labels(nothing, {{"fill", true}}).labels_nhw[0], equals_tensor(at::zeros_like(nothing)));
}

TEST_F(DenseCrfTest, BatchesAreImagesOneByOne) {
  RefineRequest request;
  request.images_nhwc = images_;
  request.labels.labels_nhw = at::stack({two_halves(), two_halves().flip(1)});
  const at::Tensor both = refine("dense_crf_labels", request).labels.labels_nhw;
  EXPECT_THAT(labels(two_halves()).labels_nhw[0], equals_tensor(both[0]));
}

}  // namespace
}  // namespace seedbed::testing
