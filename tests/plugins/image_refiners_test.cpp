// Small refiners: argmax, component_filter, saliency_gate, grabcut.
#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <opencv2/core.hpp>

#include "argmax.hpp"
#include "class_trimap.hpp"
#include "component_filter.hpp"
#include "components.hpp"
#include "grabcut.hpp"
#include "plugins/smooth_images.hpp"
#include "saliency_gate.hpp"
#include "sdk/tensor/doubles.hpp"
#include "seeded_cut.hpp"
#include "support/tensor_matchers.hpp"

namespace seedbed::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

at::Tensor bytes(const std::vector<std::int64_t>& values, at::IntArrayRef shape) {
  return at::tensor(values, at::kLong).to(at::kByte).view(shape);
}

class ImageRefinersTest : public ::testing::Test {
 protected:
  RefineResult refine(Refiner&& refiner, RefineRequest request) {
    request.run = &run_;
    return refiner.refine(request);
  }

  static RefineRequest with_maps(const at::Tensor& scores_phw, std::vector<std::int64_t> planes) {
    const std::int64_t height = scores_phw.size(1), width = scores_phw.size(2);
    RefineRequest request;
    request.images_nhwc = smooth_images_raw(1, height, width);
    request.maps.scores_nphw = scores_phw.unsqueeze(0);
    request.maps.planes = std::move(planes);
    request.maps.covered = {{0, 0, static_cast<double>(height), static_cast<double>(width)}};
    return request;
  }

  static RefineRequest with_labels(const at::Tensor& labels_hw) {
    RefineRequest request;
    request.images_nhwc = smooth_images_raw(1, labels_hw.size(0), labels_hw.size(1));
    request.labels.labels_nhw = labels_hw.unsqueeze(0);
    return request;
  }

  FakeRun run_;
};

TEST_F(ImageRefinersTest, ArgmaxNamesTheFirstHighestPlane) {
  const at::Tensor scores = at::tensor({0.3F, 0.5F, 0.1F, 0.3F, 0.2F, 1.4F}).view({2, 1, 3});
  const RefineResult result = refine(argmax::Argmax({}), with_maps(scores, {0, 3}));
  EXPECT_THAT(result.labels.labels_nhw, equals_tensor(bytes({0, 0, 3}, {1, 1, 3})));
  EXPECT_FALSE(result.labels.confidence_nhw.defined());
  const at::Tensor confidence =
      refine(argmax::Argmax({.confidence = true}), with_maps(scores, {0, 3})).labels.confidence_nhw;
  EXPECT_THAT(confidence, all_close(at::tensor({0.3F, 0.5F, 1.0F}).view({1, 1, 3}), 1e-6));
}

// Two regions of class 1 that touch at a corner (3 and 1 pixels), one of class 2, and pixels in doubt.
const at::Tensor kRegions = bytes({1, 1, 0, 254,  //
                                   1, 0, 1, 0,    //
                                   0, 2, 2, 255},
                                  {3, 4});

TEST_F(ImageRefinersTest, ComponentFilterTakesSmallRegions) {
  const auto filtered = [&](const ComponentFilterParameters& parameters) {
    return refine(component_filter::ComponentFilter(parameters), with_labels(kRegions)).labels.labels_nhw[0];
  };
  EXPECT_THAT(filtered({.min_area = 2, .diagonal = false}),
              equals_tensor(bytes({1, 1, 0, 254, 1, 0, 0, 0, 0, 2, 2, 255}, {3, 4})));
  EXPECT_THAT(filtered({.min_area = 2}), equals_tensor(kRegions));  // connected by the corner: 4 pixels
  EXPECT_THAT(filtered({.min_area = 3}), equals_tensor(bytes({1, 1, 0, 254, 1, 0, 1, 0, 0, 0, 0, 255}, {3, 4})));
  EXPECT_THAT(filtered({.min_area = 0, .min_share = 0.25, .becomes = "undecided"}),
              equals_tensor(bytes({1, 1, 0, 254, 1, 0, 1, 0, 0, 254, 254, 255}, {3, 4})));
  EXPECT_THAT(filtered({.min_area = 0, .remaining = "largest", .diagonal = false, .becomes = "ignore"}),
              equals_tensor(bytes({1, 1, 0, 254, 1, 0, 255, 0, 0, 2, 2, 255}, {3, 4})));
}

TEST_F(ImageRefinersTest, ComponentFilterLeavesNoConfidenceWhereItTookALabel) {
  RefineRequest request = with_labels(kRegions);
  request.labels.confidence_nhw = at::full({1, 3, 4}, 0.5);
  const RefineResult result = refine(component_filter::ComponentFilter({.min_area = 3}), request);
  EXPECT_EQ(result.labels.confidence_nhw[0][2][1].item<float>(), 0.0F);
  EXPECT_EQ(result.labels.confidence_nhw[0][0][0].item<float>(), 0.5F);
}

TEST(Components, AreasFallAndTiesGoToTheFirst) {
  EXPECT_THAT(component_filter::component_areas(kRegions.eq(1), component_filter::Neighbours::sides),
              ElementsAre(3, 1));
  const at::Tensor tie = bytes({0, 0, 0, 1, 0, 0, 1, 0, 0}, {3, 3});  // the pixel in the right comes first
  const at::Tensor kept = component_filter::filter_components(
      tie, {.largest_only = true, .neighbours = component_filter::Neighbours::sides});
  EXPECT_THAT(kept, equals_tensor(tie));
  const at::Tensor two = bytes({0, 0, 1, 1, 0, 0, 0, 0, 0}, {3, 3});
  EXPECT_THAT(component_filter::filter_components(
                  two, {.largest_only = true, .neighbours = component_filter::Neighbours::sides}),
              equals_tensor(bytes({0, 0, 1, 0, 0, 0, 0, 0, 0}, {3, 3})));
}

TEST_F(ImageRefinersTest, SaliencyGatesPlanesAndRaisesTheBackground) {
  const at::Tensor scores = at::tensor({0.2F, 0.4F, 0.9F, 0.8F, 0.7F, 0.6F}).view({2, 1, 3});
  RefineRequest request = with_maps(scores, {0, 2});
  request.side_inputs["saliency"] = (at::tensor({50.0F, 51.0F, 255.0F}) / 255.0).view({1, 1, 1, 3});
  EXPECT_THAT(refine(saliency_gate::SaliencyGate({}), request).maps.scores_nphw[0],
              all_close(at::tensor({1.0F, 0.4F, 0.9F, 0.0F, 0.7F, 0.6F}).view({2, 1, 3}), 1e-6));
  EXPECT_THAT(
      refine(saliency_gate::SaliencyGate({.soft = true}), request).maps.scores_nphw[0],
      all_close(at::tensor({205 / 255.0F, 0.8F, 0.9F, 0.8F * 50 / 255, 0.7F * 51 / 255, 0.6F}).view({2, 1, 3}), 1e-6));
  RefineRequest alone = request;
  alone.maps.scores_nphw = request.maps.scores_nphw.slice(1, 1);
  alone.maps.planes = {2};
  EXPECT_THAT(refine(saliency_gate::SaliencyGate({}), alone).maps.scores_nphw[0],
              all_close(at::tensor({0.0F, 0.7F, 0.6F}).view({1, 1, 3}), 1e-6));
}

TEST_F(ImageRefinersTest, SaliencyGatesLabels) {
  RefineRequest request = with_labels(bytes({0, 2, 0, 2, 255, 254}, {1, 6}));
  request.side_inputs["saliency"] = at::tensor({0.0F, 0.0F, 1.0F, 1.0F, 0.0F, 1.0F}).view({1, 1, 1, 6});
  const auto gated = [&](const SaliencyGateLabelsParameters& parameters) {
    return refine(saliency_gate::SaliencyGateLabels(parameters), request).labels.labels_nhw[0];
  };
  EXPECT_THAT(gated({}), equals_tensor(bytes({0, 0, 255, 2, 255, 254}, {1, 6})));
  EXPECT_THAT(gated({.object_outside = "undecided", .background_inside = "keep"}),
              equals_tensor(bytes({0, 254, 0, 2, 255, 254}, {1, 6})));
  EXPECT_THAT(gated({.min_object_share = 0.2}), equals_tensor(at::full({1, 6}, 255, at::kByte)));
  EXPECT_THAT(gated({.min_object_share = 0.1}), equals_tensor(bytes({0, 0, 255, 2, 255, 254}, {1, 6})));
}

TEST_F(ImageRefinersTest, SaliencyMustBeThere) {
  EXPECT_THAT(
      [&] {
        refine(saliency_gate::SaliencyGate({}), with_maps(at::zeros({1, 2, 2}), {1}));
      },
      ThrowsMessage<ContractError>(HasSubstr("`saliency`")));
  EXPECT_THAT(
      [&] {
        refine(saliency_gate::SaliencyGateLabels({}), with_labels(bytes({0, 1}, {1, 2})));
      },
      ThrowsMessage<ContractError>(HasSubstr("`saliency`")));
}

// ---- GrabCut

// A red square on a green ground, and evidence that sees a part of it and a little beside.
struct SquareScene {
  SquareScene() {
    image = at::zeros({40, 48, 3}, at::kByte);
    const at::Tensor texture = ((smooth_images(1, 40, 48)[0][0] + 1) * 12).to(at::kByte);
    image.select(2, 1).fill_(120).add_(texture);
    const at::Tensor square = image.slice(0, 10, 30).slice(1, 12, 36);
    square.select(2, 0).fill_(170).add_(texture.slice(0, 10, 30).slice(1, 12, 36));
    square.select(2, 1).fill_(30);
    truth = at::zeros({40, 48}, at::kByte);
    truth.slice(0, 10, 30).slice(1, 12, 36).fill_(2);
    evidence = at::zeros({1, 40, 48});
    evidence.slice(1, 6, 34).slice(2, 8, 40).fill_(0.3);
    evidence.slice(1, 8, 26).slice(2, 10, 30).fill_(0.5);
    evidence.slice(1, 14, 22).slice(2, 16, 28).fill_(0.8);
  }
  at::Tensor image, truth, evidence;
};

double overlap(const at::Tensor& a, const at::Tensor& b) {
  return a.logical_and(b).sum().item<double>() / a.logical_or(b).sum().item<double>();
}

TEST_F(ImageRefinersTest, GrabcutFindsWhatTheEvidenceHintsAt) {
  const SquareScene scene;
  RefineRequest request = with_maps(scene.evidence, {2});
  request.images_nhwc = scene.image.unsqueeze(0);
  const at::Tensor labels = refine(grabcut::Grabcut({}), request).labels.labels_nhw[0];
  EXPECT_GT(overlap(labels.eq(2), scene.truth.eq(2)), 0.97);
  EXPECT_LT(overlap(scene.evidence[0].gt(0.4), scene.truth.eq(2)), 0.7);
  EXPECT_THAT(refine(grabcut::Grabcut({.per_component = true}), request).labels.labels_nhw[0], equals_tensor(labels));
}

TEST_F(ImageRefinersTest, GrabcutKeepsTheFirstMaskWhereNothingCanBeCut) {
  const SquareScene scene;
  RefineRequest request = with_maps(scene.evidence, {2});
  request.images_nhwc = at::full({1, 40, 48, 3}, 100, at::kByte);
  EXPECT_THAT(refine(grabcut::Grabcut({}), request).labels.labels_nhw[0],
              equals_tensor(scene.evidence[0].gt(0.4).to(at::kByte) * 2));
  // Evidence nowhere, and everywhere.
  request.images_nhwc = scene.image.unsqueeze(0);
  request.maps.scores_nphw = at::zeros({1, 1, 40, 48});
  EXPECT_EQ(refine(grabcut::Grabcut({}), request).labels.labels_nhw.max().item<int>(), 0);
  request.maps.scores_nphw = at::ones({1, 1, 40, 48});
  EXPECT_EQ(refine(grabcut::Grabcut({}), request).labels.labels_nhw.min().item<int>(), 2);
}

TEST_F(ImageRefinersTest, GrabcutDropsACutThatRunsAway) {
  const SquareScene scene;
  RefineRequest request = with_maps(scene.evidence, {2});
  request.images_nhwc = scene.image.unsqueeze(0);
  const at::Tensor first = scene.evidence[0].gt(0.4).to(at::kByte) * 2;
  EXPECT_THAT(refine(grabcut::Grabcut({.max_area_change = 1.0}), request).labels.labels_nhw[0], equals_tensor(first));
}

TEST_F(ImageRefinersTest, GrabcutWantsItsThresholdsInOrder) {
  EXPECT_THAT([&] { grabcut::Grabcut({.possible = 0.5}); }, ThrowsMessage<UserError>(HasSubstr("not in order")));
}

TEST(ClassTrimaps, EveryThresholdMustBeExceeded) {
  const at::Tensor evidence = at::tensor({0.125F, 0.25F, 0.5F, 0.625F}).view({1, 4});
  const at::Tensor trimap = grabcut::trimap_of(evidence, {.sure = 0.5, .probable = 0.25, .possible = 0.125});
  EXPECT_THAT(trimap, equals_tensor(bytes({0, 2, 3, 1}, {1, 4})));
}

TEST(ClassTrimaps, OneClassIsSureWhereOthersAreBackground) {
  const at::Tensor evidence = at::tensor({0.8F, 0.5F, 0.9F, 0.3F, 0.9F, 0.3F, 0.75F, 0.1F}).view({2, 1, 4});
  EXPECT_THAT(grabcut::class_trimaps(evidence, {}), equals_tensor(bytes({0, 3, 1, 2, 1, 2, 0, 0}, {2, 1, 4})));
}

TEST(SeededCut, IsTheSameWhateverOpenCVsGeneratorHoldsAndLeavesItAlone) {
  const SquareScene scene;
  const at::Tensor trimap = grabcut::trimap_of(scene.evidence[0], {});
  cv::setRNGSeed(17);
  const at::Tensor first = grabcut::seeded_cut(scene.image, trimap, 2);
  EXPECT_EQ(cv::theRNG().state, cv::RNG(17).state);
  cv::setRNGSeed(99);
  EXPECT_THAT(grabcut::seeded_cut(scene.image, trimap, 2), equals_tensor(first));
}

TEST(NeighbourContrast, IsTheMeanSquaredStepInFourDirections) {
  const at::Tensor image = bytes({0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0}, {2, 2, 3});
  // The bright pixel meets the three others, of six pairs.
  EXPECT_DOUBLE_EQ(grabcut::neighbour_contrast(image), 3 * 4.0 / 6);
  EXPECT_EQ(grabcut::neighbour_contrast(at::full({5, 4, 3}, 9, at::kByte)), 0.0);
}

}  // namespace
}  // namespace seedbed::testing
