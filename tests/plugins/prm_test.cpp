#include <string>
#include <utility>
#include <vector>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <gmock/gmock.h>

#include "contract/given_features.hpp"
#include "contract/methods_under_test.hpp"
#include "instance_masks.hpp"
#include "object_proposals.hpp"
#include "peak_response_rule.hpp"
#include "peak_stimulation.hpp"
#include "seedbed/checks.hpp"
#include "seedbed/error.hpp"
#include "seedbed/seed_generator.hpp"
#include "support/formula_tensors.hpp"
#include "support/tensor_matchers.hpp"

namespace seedbed::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;
using ::testing::ThrowsMessage;

at::Tensor map_of(std::vector<float> values, std::int64_t height, std::int64_t width) {
  return at::tensor(values).view({1, 1, height, width});
}

// Specification, golden checks of PRM: rows (0,1,0), (1,5,1), (0,1,4) have one peak, (1,1), of score 5.
TEST(PeakStimulation, FindsTheOnePeakOfTheSpecification) {
  const at::Tensor map = map_of({0, 1, 0, 1, 5, 1, 0, 1, 4}, 3, 3);
  for (const char* filter : {"none", "median", "mean", "max"}) {
    const at::Tensor peaks = prm::peaks_of(map, {.filter = filter});
    EXPECT_THAT(peaks.nonzero(), equals_tensor(at::tensor({0, 0, 1, 1}, at::kLong).view({1, 4}))) << filter;
    EXPECT_EQ(prm::stimulate(map, peaks, true).item<float>(), 5.0f);
  }
}

TEST(PeakStimulation, TakesTheFirstOfAPlateau) {
  const at::Tensor peaks = prm::peaks_of(map_of({2, 2, 2, 2, 2, 2}, 2, 3), {});
  EXPECT_THAT(peaks.nonzero(), equals_tensor(at::zeros({1, 4}, at::kLong)));
}

TEST(PeakStimulation, KeepsPeaksThatPassTheFilter) {
  const at::Tensor map = map_of({9, 0, 5, 0, 1}, 1, 5);
  const auto num_peaks = [&](const char* filter, double constant = 0) {
    return prm::peaks_of(map, {.filter = filter, .constant = constant}).sum().item<int>();
  };
  EXPECT_EQ(num_peaks("none"), 3);
  EXPECT_EQ(num_peaks("median"), 3) << "1 is the median";
  EXPECT_EQ(num_peaks("mean"), 2) << "3 is the mean";
  EXPECT_EQ(num_peaks("max"), 1);
  EXPECT_EQ(num_peaks("constant", 5.0), 2);
  EXPECT_EQ(prm::stimulate(map, prm::peaks_of(map, {.filter = "constant", .constant = 10}), false).item<float>(), 0.0f);
}

TEST(PeakStimulation, DividesTheGradientOnRequest) {
  const auto gradient = [](bool exact) {
    const at::Tensor map = map_of({9, 0, 5, 0, 1}, 1, 5).set_requires_grad(true);
    const at::Tensor score = prm::stimulate(map, prm::peaks_of(map, {}), exact);
    EXPECT_EQ(score.item<float>(), 5.0f);
    score.sum().backward();
    return map.grad();
  };
  EXPECT_THAT(gradient(false), equals_tensor(map_of({1, 0, 1, 0, 1}, 1, 5)));
  EXPECT_THAT(gradient(true), all_close(map_of({1, 0, 1, 0, 1}, 1, 5) / 3, 1e-7));
}

TEST(PeakStimulation, RefusesAWindowWithoutAMiddle) {
  EXPECT_THAT(
      [] {
        prm::peaks_of(at::zeros({1, 1, 3, 3}), {.window = 4});
      },
      ThrowsMessage<UserError>(HasSubstr("`4`")));
}

// Specification: input (3,1), m = 1, W = (.5,-.2): z = 1, and all of the mass goes to the first input.
TEST(PeakResponseRule, HandsBackWhatExcited) {
  const at::Tensor input = at::tensor({3.0f, 1.0f}).view({1, 2, 1, 1}).set_requires_grad(true);
  const at::Tensor weight = at::tensor({0.5f, -0.2f}).view({1, 2, 1, 1});
  prm::PeakResponseRule rule;
  const at::Tensor output = rule.convolve({}, input, weight, {}, {{1, 1}, {0, 0}, {1, 1}, 1});
  EXPECT_NEAR(output.item<float>(), 1.3f, 1e-6) << "the value is the ordinary one";
  output.sum().backward();
  EXPECT_THAT(input.grad(), equals_tensor(at::tensor({1.0f, 0.0f}).view({1, 2, 1, 1})));
}

TEST(PeakResponseRule, KeepsMassInEveryShapeOfConvolution) {
  const ConvolutionShape shapes[] = {
      {{1, 1}, {1, 1}, {1, 1}, 1}, {{2, 2}, {0, 0}, {2, 2}, 1}, {{1, 1}, {1, 1}, {1, 1}, 2}};
  for (const ConvolutionShape& shape : shapes) {
    const at::Tensor input = formula_input("input", {2, 4, 9, 11}).set_requires_grad(true);
    const at::Tensor weight = formula_weight("weight", {6, 4 / shape.groups, 3, 3}), bias = formula_weight("bias", {6});
    prm::PeakResponseRule rule;
    const at::Tensor output = rule.convolve({}, input, weight, bias, shape);
    EXPECT_THAT(output.detach(), equals_tensor(at::conv2d(input.detach(), weight, bias, shape.stride, shape.padding,
                                                          shape.dilation, shape.groups)));
    at::Tensor start = at::zeros_like(output);
    start[1][2][1][1] = 1;
    output.backward(start);
    EXPECT_NEAR(input.grad()[1].sum().item<double>(), 1.0, 1e-5);
    EXPECT_EQ(input.grad()[0].abs().sum().item<double>(), 0.0) << "images do not mix";
  }
}

TEST(PeakResponseRule, GivesNothingWhereNothingExcites) {
  const at::Tensor input = at::zeros({1, 1, 3, 3}).set_requires_grad(true);
  prm::PeakResponseRule rule;
  rule.convolve({}, input, at::ones({1, 1, 1, 1}), {}, {{1, 1}, {0, 0}, {1, 1}, 1}).sum().backward();
  EXPECT_THAT(input.grad(), equals_tensor(at::zeros({1, 1, 3, 3})));
}

TEST(PeakResponseRule, MakesSharesOfAGradient) {
  at::Tensor gradient = at::zeros({2, 3, 1, 2});
  gradient[0][0][0][0] = 3.0;
  gradient[0][2][0][0] = -1.0;
  gradient[0][1][0][1] = -7.0;
  EXPECT_THAT(prm::responses_from(gradient), equals_tensor(at::tensor({1.0f, 0.0f, 0.0f, 0.0f}).view({2, 1, 2})));
}

prm::PeakResponse peak(std::int64_t class_id, double value, int from, int to) {
  at::Tensor response = at::zeros({8, 16});
  response.slice(0, 2, 6).slice(1, from, to).fill_(1.0);
  return {class_id, value, response / response.sum()};
}

TEST(InstanceMasks, AreWhereTheResponseIsHigh) {
  prm::PeakResponse one = peak(2, 7.0, 0, 8);
  one.response_hw[0][15] = 0.1 * one.response_hw.max();
  const std::vector<Instance> found = prm::thresholded({one}, {.response_threshold = 0.2});
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_EQ(found[0].class_id, 2);
  EXPECT_EQ(found[0].score, 7.0);
  EXPECT_THAT(found[0].mask_hw, equals_tensor(peak(2, 7.0, 0, 8).response_hw.gt(0)));
}

TEST(InstanceMasks, JoinWhatOverlapsWithinAClass) {
  const std::vector<Instance> found =
      prm::thresholded({peak(1, 1.0, 2, 10), peak(1, 5.0, 0, 8), peak(2, 3.0, 0, 8), peak(1, 2.0, 12, 16)}, {});
  ASSERT_THAT(found, SizeIs(3));
  EXPECT_EQ(found[0].score, 5.0);
  EXPECT_EQ(found[0].mask_hw.sum().item<int>(), 4 * 10) << "the weaker one's response was added";
  EXPECT_EQ(found[1].class_id, 2);
  EXPECT_EQ(found[2].score, 2.0);
}

TEST(InstanceMasks, HaveARimOfTwoPixelsOnEachSide) {
  at::Tensor mask = at::zeros({1, 12, 12}, at::kBool);
  mask[0].slice(0, 4, 12).slice(1, 4, 8).fill_(true);
  const at::Tensor rim = prm::contours_of(mask)[0];
  EXPECT_EQ(rim.sum().item<int>(), 10 * 8)
      << "nothing of the object is deeper than two pixels, and it touches the border";
  EXPECT_FALSE(rim[1][5].item<bool>());
  EXPECT_TRUE(rim[2][2].item<bool>());
}

TEST(InstanceMasks, AreTheProposalsThatFitBest) {
  const prm::PeakResponse one = peak(1, 4.0, 4, 10);
  at::Tensor proposals = at::zeros({4, 8, 16}, at::kBool);
  proposals[0].fill_(true);                                 // too large
  proposals[1].slice(0, 2, 6).slice(1, 4, 6).fill_(true);   // a part
  proposals[2].slice(0, 2, 6).slice(1, 4, 10).fill_(true);  // the object
  proposals[3][0][0] = true;
  const at::Tensor maps = at::ones({1, 2, 4});
  const std::vector<Instance> found = prm::retrieved({one}, proposals, maps, {});
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_THAT(found[0].mask_hw, equals_tensor(proposals[2]));
  // All of the response is inside, and on the contour, which leaves no core of so thin an object: 0.8 + 1.
  EXPECT_NEAR(found[0].score, 1.8, 1e-3);
  EXPECT_THAT(prm::retrieved({one}, proposals, maps, {.num_proposals = 1}), SizeIs(0));
}

TEST(InstanceMasks, CallBackgroundWhatIsBelowTheMean) {
  const at::Tensor map = at::tensor({-10.0f, 10.0f}).view({1, 2});
  for (const bool bytes : {true, false}) {
    const at::Tensor background = prm::background_of(map, 4, 8, {.byte_maps = bytes});
    EXPECT_TRUE(background[0][0].item<bool>());
    EXPECT_FALSE(background[3][7].item<bool>());
  }
  // Values around zero have a mean of zero: the factor does nothing to them, but it does to bytes.
  const auto share = [&](bool bytes, double factor) {
    return prm::background_of(map, 8, 32, {.background_factor = factor, .byte_maps = bytes})
        .to(at::kFloat)
        .mean()
        .item<float>();
  };
  EXPECT_LT(share(true, 0.5), share(true, 1.0));
  EXPECT_EQ(share(false, 0.5), share(false, 1.0));
  EXPECT_FALSE(prm::background_of(at::full({2, 2}, 3.0), 4, 4, {}).any().item<bool>()) << "a constant map has none";
}

TEST(ObjectProposals, AreMadeOfSuperpixels) {
  const at::Tensor superpixels = at::tensor({0, 0, 1, 2}, at::kInt).view({2, 2});
  const at::Tensor members = at::tensor({1, 0, 0, 0, 1, 1}, at::kByte).view({2, 3});
  const prm::ObjectProposals proposals({{"a/superpixels", superpixels},
                                        {"a/members", members},
                                        {"b/superpixels", superpixels},
                                        {"b/members", members.slice(1, 0, 2)},
                                        {"c/superpixels", superpixels}});
  const at::Tensor masks = proposals.of("a", 2, 2, 100);
  EXPECT_THAT(masks, equals_tensor(at::tensor({1, 1, 0, 0, 0, 0, 1, 1}).to(at::kBool).view({2, 2, 2})));
  EXPECT_THAT(proposals.of("a", 2, 2, 1), has_shape({1, 2, 2}));
  const auto refused = [&](const char* id, std::int64_t height, const char* words) {
    EXPECT_THAT([&] { proposals.of(id, height, 2, 100); }, ThrowsMessage<UserError>(HasSubstr(words)));
  };
  refused("a", 3, "another size");
  refused("b", 2, "`members` does not know");
  refused("c", 2, "no `members`");
  refused("d", 2, "no `superpixels`");
}

class PrmTest : public ::testing::Test {
 protected:
  std::shared_ptr<SeedGenerator> prm(const ParameterValues& parameters = {}) {
    run_.generator().set_current_seed(3);
    ModelContext context = contract_context(run_, 2, false);
    context.backbone = make<Backbone>(MethodKind::backbone, "small_cnn", context,
                                      {{"width", std::int64_t{8}}, {"norm", std::string("none")}});
    return make<SeedGenerator>(MethodKind::seed_generator, "prm", context, parameters);
  }

  SeedRequest request(std::int64_t n = 2) {
    SeedRequest request;
    request.images_nchw = contract_images(n, 48, 64);
    request.present_nc = at::ones({n, 2}, at::kBool);
    for (std::int64_t i = 0; i < n; ++i) request.views.push_back({"image", 96, 128, 0.5, false, {0, 0, 96, 128}});
    request.logits_wanted = true;
    request.run = &run_;
    return request;
  }

  static SeedResult generate(SeedGenerator& generator, const SeedRequest& request) {
    const c10::NoGradGuard no_grad;
    return generator.generate(request);
  }

  FakeRun run_;
};

const ParameterValues kObjects{{"instances", std::string("response")}};

TEST_F(PrmTest, TracesPeaksToThePixelsThatExcitedThem) {
  const auto generator = prm({{"merge", std::string("sum")}, {"peaks_at_most", std::int64_t{1}}});
  const SeedResult result = generate(*generator, request());
  EXPECT_FALSE(result.maps.scores_nphw.requires_grad());
  EXPECT_THAT(result.maps.scores_nphw.sum({1, 2, 3}), all_close(at::ones({2}), 1e-5)) << "one peak of sum 1 an image";
  // A cell of five 3x3 convolutions, of which three stride, sees 47 pixels.
  const at::Tensor seen = result.maps.scores_nphw.sum(1).gt(0);
  EXPECT_LE(seen.any(2).sum(1).max().item<int>(), 47);
  EXPECT_GT(seen.sum().item<int>(), 0);
}

TEST_F(PrmTest, TracesSeveralPeaksAtOnceAlike) {
  const auto one = prm(), several = prm({{"peaks_at_once", std::int64_t{3}}});
  several->load_state(one->state());
  const SeedResult a = generate(*one, request()), b = generate(*several, request());
  EXPECT_THAT(b.maps.scores_nphw, all_close(a.maps.scores_nphw, 1e-4, 1e-3));
  EXPECT_THAT(b.logits_nc, all_close(a.logits_nc, 1e-5));
}

TEST_F(PrmTest, TracesPresentClassesOnly) {
  const auto generator = prm();
  SeedRequest asked = request(1);
  asked.present_nc[0][0] = false;
  const at::Tensor seeds = generate(*generator, asked).maps.scores_nphw;
  EXPECT_EQ(seeds[0][0].abs().sum().item<double>(), 0.0);
  EXPECT_NEAR(seeds[0][1].max().item<double>(), 1.0, 1e-6);
  asked.present_nc.reset();
  const auto strict = prm({{"class_threshold", 1e6}});
  EXPECT_EQ(generate(*strict, asked).maps.scores_nphw.abs().sum().item<double>(), 0.0) << "no class scores as much";
}

TEST_F(PrmTest, ComparesPeaksWithTheirThreshold) {
  const auto objects = [&](ParameterValues parameters) {
    parameters.insert(kObjects.begin(), kObjects.end());
    parameters["overlap"] = 1.0;
    return generate(*prm(parameters), request(1)).instances.at(0).size();
  };
  const std::size_t half = objects({{"peak_threshold", 0.5}}), most = objects({{"peak_threshold", -10.0}});
  EXPECT_GE(half, 2u);
  EXPECT_GE(most, half);
  EXPECT_GT(most, 2u);
  EXPECT_EQ(objects({{"peak_threshold", 1.0}}), 2u) << "the highest of each class";
  EXPECT_EQ(objects({{"peak_threshold_rule", std::string("absolute")}, {"peak_threshold", 1e6}}), 0u);
  EXPECT_EQ(objects({{"peak_threshold", -10.0}, {"peaks_at_most", std::int64_t{1}}}), 1u);
}

TEST_F(PrmTest, FindsObjectsOnTheImage) {
  const auto generator = prm(kObjects);
  const SeedRequest plain = request(1);
  SeedRequest mirrored = request(1);
  mirrored.images_nchw = plain.images_nchw.clone();
  mirrored.views[0].flipped = true;
  const MethodManifest& manifest = method_under_test(MethodKind::seed_generator, "prm").manifest;
  const SeedResult result = generate(*generator, plain), other = generate(*generator, mirrored);
  check_seed_result(result, plain, 2, manifest);
  ASSERT_FALSE(result.instances.at(0).empty());
  EXPECT_THAT(result.instances[0][0].mask_hw, has_shape({96, 128}));
  EXPECT_THAT(other.instances[0][0].mask_hw, equals_tensor(result.instances[0][0].mask_hw.flip(1)));
}

TEST_F(PrmTest, GivesClassMapsOnRequest) {
  const auto generator = prm({{"seed_map", std::string("class_maps")}, {"traced_upsample", std::int64_t{2}}});
  EXPECT_THAT(generate(*generator, request()).maps.scores_nphw, has_shape({2, 2, 12, 16}));
}

TEST_F(PrmTest, LearnsWherePeaksAre) {
  FakeRun run;
  ModelContext context = contract_context(run, 2, false);
  context.backbone = std::make_shared<GivenFeatures>(3);
  const auto generator =
      make<SeedGenerator>(MethodKind::seed_generator, "prm", context,
                          {{"peak_upsample", std::int64_t{1}}, {"peak_gradient", std::string("exact")}});
  generator->load_state(
      {{"classifier.weight", 0.1 * at::eye(2, 3).view({2, 3, 1, 1})}, {"classifier.bias", at::zeros({2})}});
  StepRequest step;
  ViewBatch& batch = step.streams["main"]["main"];
  batch.images_nchw = at::zeros({2, 3, 5, 6});
  batch.images_nchw[0][0][1][1] = 4.0;
  batch.images_nchw[1][1][3][4] = 4.0;
  batch.present_nc = at::eye(2, at::kBool);
  step.run = &run;
  double first = 0, last = 0;
  for (int i = 0; i < 30; ++i) {
    const at::Tensor loss = generator->trainable()->training_step(step).front().second;
    last = loss.item<double>();
    if (i == 0) first = last;
    loss.backward();
    const c10::NoGradGuard no_grad;
    for (auto& [name, parameter] : generator->named_parameters()) {
      at::Tensor(parameter).sub_(parameter.grad(), 0.5);
      at::Tensor(parameter).mutable_grad().reset();
    }
  }
  EXPECT_LT(last, 0.5 * first);
}

TEST_F(PrmTest, StopsWhenItIsAskedTo) {
  const auto generator = prm();
  run_.cancel();
  EXPECT_THROW(generate(*generator, request(1)), Cancelled);
}

TEST_F(PrmTest, RefusesWhatCannotWork) {
  EXPECT_THAT([&] { prm({{"peak_window", std::int64_t{2}}}); }, ThrowsMessage<UserError>(HasSubstr("`2`")));
  EXPECT_THAT([&] { prm({{"smoothing_px", std::int64_t{6}}}); }, ThrowsMessage<UserError>(HasSubstr("`6`")));
  EXPECT_THAT([&] { prm({{"tap", std::string("stage9")}}); }, ThrowsMessage<UserError>(HasSubstr("`stage9`")));
  EXPECT_THAT(
      [&] {
        prm({{"instances", std::string("proposals")}});
      },
      ThrowsMessage<UserError>(HasSubstr("there are none")));
  ModelContext context = contract_context(run_, 2, false);
  context.backbone = std::make_shared<TinyBackbone>(run_.generator());
  EXPECT_THAT(
      [&] {
        make<SeedGenerator>(MethodKind::seed_generator, "prm", context, {{"tap", std::string("block.0")}});
      },
      ThrowsMessage<UserError>(HasSubstr("`block.0`")));
}

}  // namespace
}  // namespace seedbed::testing
