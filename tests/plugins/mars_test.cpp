#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <opencv2/core.hpp>

#include "contract/given_features.hpp"
#include "contract/kept_maps.hpp"
#include "debiasing.hpp"
#include "mars.hpp"
#include "plugins/smooth_images.hpp"
#include "region_centroids.hpp"
#include "sdk/tensor/doubles.hpp"
#include "small_cnn.hpp"
#include "support/tensor_matchers.hpp"

namespace seedbed::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

TEST(RegionCentroids, AreTheMeansOfAlikeCells) {
  // Class 2 holds two kinds of cells, the background one; a cell is two pixels wide.
  at::Tensor features = at::zeros({2, 2, 3});
  features[0][0][0] = 1;
  features[0][0][1] = 3;
  features[1][1][0] = 2;
  features[0][1][1] = -1;
  features[0].select(1, 2).fill_(-1);
  at::Tensor labels = at::zeros({4, 6}, at::kByte);
  labels.slice(0, 0, 2).slice(1, 0, 4).fill_(2);
  labels.slice(0, 2, 4).slice(1, 0, 2).fill_(2);
  const at::Tensor rows = mars::region_centroids(features, labels, {});
  ASSERT_THAT(rows, has_shape({4, 3}));
  for (const std::int64_t i : {0, 1}) EXPECT_THAT(rows[i], all_close(at::tensor({0.0F, -1.0F, 0.0F}), 1e-6));
  const at::Tensor first = rows[2][1].item<double>() > 1 ? rows[2] : rows[3];
  const at::Tensor second = rows[2][1].item<double>() > 1 ? rows[3] : rows[2];
  EXPECT_THAT(first, all_close(at::tensor({2.0F, 2.0F, 0.0F}), 1e-6));  // of (1, 0) and (3, 0): one direction
  EXPECT_THAT(second, all_close(at::tensor({2.0F, 0.0F, 2.0F}), 1e-6));
}

TEST(RegionCentroids, LeavePixelsInDoubtOutAndOpenCVsGeneratorAlone) {
  const at::Tensor features = smooth_images(2, 4, 5).flatten(0, 1);
  cv::setRNGSeed(3);
  EXPECT_EQ(mars::region_centroids(features, at::full({8, 10}, 255, at::kByte), {}).size(0), 0);
  EXPECT_EQ(mars::region_centroids(features, at::full({8, 10}, 254, at::kByte), {}).size(0), 0);
  const at::Tensor first = mars::region_centroids(features, at::ones({8, 10}, at::kByte), {});
  EXPECT_EQ(cv::theRNG().state, cv::RNG(3).state);
  cv::setRNGSeed(4);
  EXPECT_THAT(mars::region_centroids(features, at::ones({8, 10}, at::kByte), {}), equals_tensor(first));
}

// Two images in which class 1 is half object, half what stands behind both: the fit must see which half is biased.
class MarsTest : public ::testing::Test {
 protected:
  MarsTest() : services_(run_, {image("a"), image("b")}) {}

  // Object features (1, 0) on the left, background features (0, 1) elsewhere; labels claim one column too many.
  static at::Tensor features() {
    at::Tensor features = at::zeros({1, 2, 4, 6});
    features.select(1, 1).fill_(1);
    features.select(1, 0).slice(2, 0, 2).fill_(1);
    features.select(1, 1).slice(2, 0, 2).fill_(0);
    return features;
  }
  static at::Tensor labels() {
    at::Tensor labels = at::zeros({1, 4, 6}, at::kByte);
    labels.slice(2, 0, 3).fill_(1);
    return labels;
  }
  static ViewBatch image(const std::string& id) {
    ViewBatch image;
    image.images_nchw = features();
    image.companions["given"] = labels().unsqueeze(1).to(at::kLong);
    image.image_ids = {id};
    return image;
  }

  ModelContext context_with(std::shared_ptr<Backbone> backbone) {
    ModelContext context;
    context.class_names = {"first", "second"};
    context.backbone = std::move(backbone);
    context.run = &run_;
    return context;
  }

  std::shared_ptr<mars::Mars> mars(const MarsParameters& parameters = {}) {
    return std::make_shared<mars::Mars>(parameters, context_with(std::make_shared<GivenFeatures>(2)));
  }

  void fit(Refiner& refiner) {
    StepRequest step;
    step.map_store = [this](std::string_view name) -> MapStore& { return services_.map_store(name); };
    step.run = &run_;
    services_.for_each_image([&](const ViewBatch& image) {
      step.streams["main"]["main"] = image;
      refiner.trainable()->collect(step);
    });
    refiner.trainable()->finish(services_);
  }

  FakeRun run_;
  KeptServices services_;
};

TEST_F(MarsTest, KeepsTheCentroidsThatAreFarFromBackgrounds) {
  const auto refiner = mars();
  fit(*refiner);
  const NamedTensors state = refiner->state();
  EXPECT_THAT(state.at("centroids")[0], all_close(at::tensor({1.0F, 0.0F}), 1e-6));
  EXPECT_THAT(state.at("num_used"), equals_tensor(at::tensor({2, 0}, at::kLong)));  // of four, two an image
  EXPECT_TRUE(refiner->trainable()->parameter_groups().empty());
}

TEST_F(MarsTest, WouldKeepBothWithAllOfThem) {
  const auto refiner = mars({.alpha = 1.0});
  fit(*refiner);
  EXPECT_THAT(refiner->state().at("centroids")[0], all_close(at::tensor({0.5F, 0.5F}), 1e-6));
}

// The small network sees images, so here labels are refined by what it makes of them.
TEST_F(MarsTest, OpensLabelsOfPixelsThatLookLikeNoClass) {
  const auto network = std::make_shared<small_cnn::SmallCnn>(SmallCnnParameters{.width = 8}, run_.generator());
  const auto refiner = std::make_shared<mars::Mars>(MarsParameters{.cut = 0.9}, context_with(network));
  RefineRequest request;
  request.images_nhwc = smooth_images_raw(1, 40, 48);
  request.labels.labels_nhw = at::ones({1, 40, 48}, at::kByte);
  request.labels.labels_nhw.slice(1, 0, 8).fill_(0);
  request.labels.labels_nhw.slice(1, 8, 10).fill_(255);
  request.present_nc = at::tensor({1, 1}).to(at::kBool).view({1, 2});
  request.image_ids = {"image"};
  request.run = &run_;
  // Nobody showed a class yet: nothing changes.
  EXPECT_THAT(refiner->refine(request).labels.labels_nhw, equals_tensor(request.labels.labels_nhw));
  // The class looks like the features of one cell.
  ForwardRequest forward;
  forward.images_nchw = normalise_images(request.images_nhwc, network->normalisation());
  forward.run = &run_;
  const at::Tensor cells = network->forward(forward).taps.at("final")[0];
  refiner->state().at("centroids")[0].copy_(cells.select(1, 3).select(1, 3));
  refiner->state().at("num_used")[0].fill_(1);
  const at::Tensor result = refiner->refine(request).labels.labels_nhw;
  const at::Tensor like = mars::similarity(cells, cells.select(1, 3).select(1, 3).unsqueeze(0));
  const at::Tensor stays = at::upsample_bilinear2d(like.unsqueeze(0).unsqueeze(0), {40, 48}, false)[0].gt(0.9);
  const at::Tensor was_class = request.labels.labels_nhw.eq(1);
  EXPECT_THAT(result,
              equals_tensor(request.labels.labels_nhw.masked_fill(was_class.logical_and(stays.logical_not()), 254)));
  EXPECT_GT(result.eq(254).sum().item<int>(), 100);
  EXPECT_GT(result.eq(1).sum().item<int>(), 0);
}

TEST_F(MarsTest, NeedsLabelsWithBothAndABackbone) {
  const auto refiner = mars();
  services_.map_store("centroids").write("a", at::ones({1, 3}));
  EXPECT_THAT([&] { refiner->trainable()->finish(services_); }, ThrowsMessage<UserError>(HasSubstr("hold background")));
  services_.map_store("centroids").write("a", at::zeros({1, 3}));
  EXPECT_THAT([&] { refiner->trainable()->finish(services_); }, ThrowsMessage<UserError>(HasSubstr("hold a class")));
  EXPECT_THAT([&] { mars::Mars({}, context_with(nullptr)); }, ThrowsMessage<UserError>(HasSubstr("names no network")));
}

}  // namespace
}  // namespace seedbed::testing
