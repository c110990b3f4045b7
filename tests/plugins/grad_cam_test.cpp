#include <algorithm>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <gmock/gmock.h>

#include "contract/given_features.hpp"
#include "contract/methods_under_test.hpp"
#include "seedbed/kernels/resize.hpp"
#include "seedbed/seed_generator.hpp"
#include "support/tensor_matchers.hpp"

namespace seedbed::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

constexpr std::int64_t kChannels = 4;
constexpr std::int64_t kClasses = 3;

/// Counts passes and images, and has a classifier of five outputs: sums of each channel, and of them all.
class ClassifyingFeatures : public GivenFeatures {
 public:
  ClassifyingFeatures() : GivenFeatures(kChannels) {}
  ForwardResult forward(const ForwardRequest& request) override {
    ++num_passes;
    most_images = std::max(most_images, request.images_nchw.defined() ? request.images_nchw.size(0) : 0);
    return GivenFeatures::forward(request);
  }
  at::Tensor reference_logits(const at::Tensor& final_tap) override {
    const at::Tensor sums = final_tap.sum({2, 3});
    return at::cat({sums, sums.sum(1, true)}, 1);
  }
  std::int64_t num_passes = 0;
  std::int64_t most_images = 0;
};

/// Patches of 2 x 2 pixels become tokens behind one class token; a block lets the class token see the mean of all.
class Tokens : public Backbone {
 public:
  Normalisation normalisation() const override { return {}; }
  std::vector<TapInfo> taps() const override {
    return {{"block.0", {}, kChannels, 0, true}, {"final", {"block.1"}, kChannels, 0, true}};
  }
  std::vector<Site> sites() const override { return {}; }
  std::int64_t size_multiple_px() const override { return 2; }
  std::int64_t minimum_size_px() const override { return 2; }
  TokenLayout token_layout(std::int64_t height_px, std::int64_t width_px) const override {
    return {1, 0, height_px / 2, width_px / 2};
  }
  ForwardResult forward(const ForwardRequest& request) override {
    at::Tensor first;
    if (request.from) {
      first = request.from->value;
    } else {
      const at::Tensor patches = at::avg_pool2d(request.images_nchw, 2).flatten(2).transpose(1, 2);
      first = at::cat({at::zeros_like(patches.slice(1, 0, 1)), patches}, 1);
    }
    const at::Tensor seen = first + first.mean(1, true);
    ForwardResult result;
    for (const std::string& tap : request.keep) result.taps[tap] = tap == "block.0" ? first : seen;
    return result;
  }
  std::shared_ptr<Backbone> clone() const override { return std::make_shared<Tokens>(); }
};

class GradCamTest : public ::testing::Test {
 protected:
  std::shared_ptr<SeedGenerator> made(const std::string& id, const ParameterValues& parameters = {},
                                      std::shared_ptr<Backbone> backbone = {}) {
    ModelContext context = contract_context(run_, kClasses, false);
    context.backbone = backbone ? std::move(backbone) : std::make_shared<GivenFeatures>(kChannels);
    return make<SeedGenerator>(MethodKind::seed_generator, id, context, parameters);
  }

  SeedResult generate(SeedGenerator& generator, const at::Tensor& images, const at::Tensor& present = {}) {
    const c10::NoGradGuard no_grad;
    SeedRequest request;
    request.images_nchw = images;
    request.present_nc = present;
    request.views.resize(static_cast<std::size_t>(images.size(0)));
    request.logits_wanted = true;
    request.run = &run_;
    return generator.generate(request);
  }

  // Features of four channels, all positive.
  static at::Tensor features(std::int64_t n = 2, std::int64_t height = 6, std::int64_t width = 8) {
    const at::Tensor images = contract_images(n, height, width);
    return at::cat({images, images.select(1, 0).unsqueeze(1) * 0.5}, 1) + 1.5;
  }

  static at::Tensor weight_of(const SeedGenerator& generator) {
    return generator.state().at("classifier.weight").detach();
  }

  FakeRun run_;
};

TEST_F(GradCamTest, OfTheClassifiersTapIsTheActivationMap) {
  const auto generator = made("grad_cam");
  const SeedResult result = generate(*generator, features());
  const at::Tensor cam = at::conv2d(features(), weight_of(*generator));
  EXPECT_THAT(result.maps.scores_nphw, all_close(cam / (6 * 8), 1e-5));
  EXPECT_THAT(result.logits_nc, all_close(cam.mean({2, 3}), 1e-5));
  EXPECT_FALSE(result.maps.scores_nphw.requires_grad());
}

TEST_F(GradCamTest, LayerCamLeavesOutNegativeGradients) {
  const auto generator = made("layer_cam");
  const at::Tensor wanted = at::conv2d(features(), weight_of(*generator).clamp_min(0)) / (6 * 8);
  EXPECT_THAT(generate(*generator, features()).maps.scores_nphw, all_close(wanted, 1e-5));
}

TEST_F(GradCamTest, EarlierTapsGoThroughTheNetwork) {
  for (const std::string id : {"grad_cam", "grad_cam_pp", "layer_cam", "score_cam"}) {
    const auto backbone = contract_context(run_, kClasses).backbone;
    const auto generator = made(id, {{"tap", std::string("stage2")}}, backbone);
    const SeedResult result = generate(*generator, contract_images(1, 32, 32));
    EXPECT_THAT(result.maps.scores_nphw, has_shape({1, kClasses, 8, 8})) << id;
    EXPECT_GT(result.maps.scores_nphw.abs().max().item<double>(), 0.0) << id;
  }
}

TEST_F(GradCamTest, AbsentClassesAreZeroAndChangeNoOther) {
  const at::Tensor present = at::tensor({1, 0, 0, 0, 1, 0}, at::kInt).view({2, kClasses}).to(at::kBool);
  const auto generator = made("grad_cam_pp");
  const at::Tensor all = generate(*generator, features()).maps.scores_nphw;
  const at::Tensor some = generate(*generator, features(), present).maps.scores_nphw;
  EXPECT_THAT(some, equals_tensor(at::where(present.view({2, kClasses, 1, 1}), all, 0.0)));
}

TEST_F(GradCamTest, ReadsTheReferenceClassifierWithoutTraining) {
  const auto backbone = std::make_shared<ClassifyingFeatures>();
  const std::vector<std::int64_t> outputs{3, 4, 0};
  const auto generator =
      made("grad_cam", {{"classifier", std::string("reference")}, {"reference_classes", outputs}}, backbone);
  EXPECT_EQ(generator->trainable(), nullptr);
  EXPECT_TRUE(generator->state().empty());
  const SeedResult result = generate(*generator, features());
  EXPECT_THAT(result.maps.scores_nphw[0][0], all_close(features()[0][3], 1e-5));
  EXPECT_THAT(result.maps.scores_nphw[0][1], all_close(features()[0].sum(0), 1e-5));
  EXPECT_THAT(result.logits_nc.select(1, 2), all_close(features().select(1, 0).sum({1, 2}), 1e-3));
}

TEST_F(GradCamTest, RefusesAReferenceClassifierThatDoesNotFit) {
  const auto reference = [&](std::vector<std::int64_t> outputs, std::shared_ptr<Backbone> backbone) {
    return [this, outputs, backbone] {
      made("layer_cam", {{"classifier", std::string("reference")}, {"reference_classes", outputs}}, backbone);
    };
  };
  const auto backbone = std::make_shared<ClassifyingFeatures>();
  EXPECT_THAT(reference({}, std::make_shared<GivenFeatures>(kChannels)),
              ThrowsMessage<UserError>(HasSubstr("no classifier")));
  EXPECT_THAT(reference({}, backbone), ThrowsMessage<UserError>(HasSubstr("`5` outputs, the data set `3` classes")));
  EXPECT_THAT(reference({0, 1, 5}, backbone), ThrowsMessage<UserError>(HasSubstr("no such output: `5`")));
  const auto small_cnn = contract_context(run_, kClasses).backbone;
  EXPECT_THAT(
      [&] {
        made("grad_cam",
             {{"classifier", std::string("reference")},
              {"classifier_tap", std::string("stage3")},
              {"tap", std::string("stage2")}},
             small_cnn);
      },
      ThrowsMessage<UserError>(HasSubstr("reads no such tap")));
}

TEST_F(GradCamTest, RefusesTapsThatTheScoresDoNotDependOn) {
  const auto small_cnn = contract_context(run_, kClasses).backbone;
  EXPECT_THAT(
      [&] {
        made("grad_cam", {{"classifier_tap", std::string("stage3")}}, small_cnn);
      },
      ThrowsMessage<UserError>(HasSubstr("`final` lies behind `stage3`")));
  EXPECT_THAT(
      [&] {
        made("grad_cam", {{"tap", std::string("stage9")}}, small_cnn);
      },
      ThrowsMessage<UserError>(HasSubstr("`stage9`")));
  EXPECT_THAT(
      [&] {
        made("grad_cam", {{"pooling", std::string("class_token")}}, small_cnn);
      },
      ThrowsMessage<UserError>(HasSubstr("holds no tokens")));
  EXPECT_THAT(
      [&] {
        made("grad_cam", {{"pooling", std::string("class_token")}}, std::make_shared<Tokens>());
      },
      ThrowsMessage<UserError>(HasSubstr("class token")));
}

TEST_F(GradCamTest, LaysTokensOutAsAGrid) {
  const at::Tensor patches = at::avg_pool2d(features(), 2);
  const auto generator = made("grad_cam", {}, std::make_shared<Tokens>());
  const at::Tensor seen = patches + patches.sum({2, 3}, true) / 13;  // 12 patches and an empty class token
  EXPECT_THAT(generate(*generator, features()).maps.scores_nphw,
              all_close(at::conv2d(seen, weight_of(*generator)) / 12, 1e-5));

  const auto by_token = made("grad_cam", {{"pooling", std::string("class_token")}, {"tap", std::string("block.0")}},
                             std::make_shared<Tokens>());
  const SeedResult result = generate(*by_token, features());
  EXPECT_THAT(result.maps.scores_nphw, all_close(at::conv2d(patches, weight_of(*by_token)) / 13, 1e-5));
  EXPECT_THAT(result.logits_nc, all_close(at::conv2d(patches, weight_of(*by_token)).sum({2, 3}) / 13, 1e-5));
}

// Features of half the image's size: masks are made by resizing them.
class HalvedFeatures : public GivenFeatures {
 public:
  HalvedFeatures() : GivenFeatures(kChannels) {}
  ForwardResult forward(const ForwardRequest& request) override {
    return {.taps = {{"final", at::avg_pool2d(request.images_nchw, 2)}}, .attention = {}};
  }
};

TEST_F(GradCamTest, ScoreCamWeightsChannelsByTheMaskedScores) {
  at::Tensor image = features(1);
  image.select(1, 2).fill_(0.75);  // a constant channel masks nothing
  const at::Tensor cells = at::avg_pool2d(image, 2)[0];
  const at::Tensor resized = kernels::resize_maps(cells, 6, 8, false);
  for (const std::string variant : {"paper", "released"}) {
    const auto generator = made("score_cam", {{"variant", variant}}, std::make_shared<HalvedFeatures>());
    const at::Tensor weight = weight_of(*generator).flatten(1);
    std::vector<at::Tensor> scores, masks;
    for (const std::int64_t k : {0, 1, 3}) {
      const at::Tensor mask = (resized[k] - resized[k].min()) / (resized[k].max() - resized[k].min());
      scores.push_back(at::linear((image * mask).mean({2, 3}), weight)[0]);
      masks.push_back((cells[k] - resized[k].min()) / (resized[k].max() - resized[k].min()));
    }
    const at::Tensor kept = at::stack({cells[0], cells[1], cells[3]});
    const at::Tensor weights = variant == "paper" ? at::stack(scores).softmax(0) : at::stack(scores).sigmoid();
    const at::Tensor wanted = at::tensordot(weights, variant == "paper" ? kept : at::stack(masks), {0}, {0});
    EXPECT_THAT(generate(*generator, image).maps.scores_nphw[0], all_close(wanted, 1e-5)) << variant;
  }
}

TEST_F(GradCamTest, ScoreCamOfAConstantImageIsZero) {
  for (const std::string variant : {"paper", "released"}) {
    const auto generator = made("score_cam", {{"variant", variant}});
    const SeedResult result = generate(*generator, at::ones({1, kChannels, 6, 8}));
    EXPECT_THAT(result.maps.scores_nphw, equals_tensor(at::zeros({1, kClasses, 6, 8}))) << variant;
  }
}

TEST_F(GradCamTest, ScoreCamPassesItsMasksInBatches) {
  const auto backbone = std::make_shared<ClassifyingFeatures>();
  const auto at_once = made("score_cam", {}, backbone);
  const at::Tensor wanted = generate(*at_once, features(1)).maps.scores_nphw;
  EXPECT_EQ(backbone->num_passes, 3);  // activations, four masks, the image's own scores
  EXPECT_EQ(backbone->most_images, 4);

  const auto slower = std::make_shared<ClassifyingFeatures>();
  const auto one_by_one = made("score_cam", {{"masks_at_once", std::int64_t{1}}}, slower);
  one_by_one->load_state(at_once->state());
  EXPECT_THAT(generate(*one_by_one, features(1)).maps.scores_nphw, all_close(wanted, 1e-6));
  EXPECT_EQ(slower->num_passes, 6);
  EXPECT_EQ(slower->most_images, 1);
}

TEST_F(GradCamTest, ScoreCamTakesTheChannelsThatVaryMost) {
  const auto backbone = std::make_shared<ClassifyingFeatures>();
  const auto generator = made("score_cam", {{"num_channels", std::int64_t{2}}}, backbone);
  at::Tensor image = features(1);
  image.select(1, 0) *= 0.1;
  image.select(1, 3) *= 0.1;
  const at::Tensor map = generate(*generator, image).maps.scores_nphw;
  EXPECT_EQ(backbone->most_images, 2);
  const auto four = made("score_cam", {}, std::make_shared<ClassifyingFeatures>());
  four->load_state(generator->state());
  EXPECT_FALSE(at::allclose(generate(*four, image).maps.scores_nphw, map));
}

TEST_F(GradCamTest, StopsWhenItIsAsked) {
  const auto gradients = made("grad_cam"), masks = made("score_cam");
  run_.cancel();
  EXPECT_THROW(generate(*gradients, features()), Cancelled);
  EXPECT_THROW(generate(*masks, features()), Cancelled);
}

}  // namespace
}  // namespace seedbed::testing
