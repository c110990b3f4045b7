// The strategies `ema_fill` and `adele`.
#include <cmath>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <gmock/gmock.h>

#include "adele.hpp"
#include "contract/kept_maps.hpp"
#include "corrected_labels.hpp"
#include "cross_entropy.hpp"
#include "ema_fill.hpp"
#include "linear_head.hpp"
#include "memorisation_curve.hpp"
#include "multilabel_soft_margin.hpp"
#include "overlap_history.hpp"
#include "plugins/smooth_images.hpp"
#include "scale_agreement.hpp"
#include "sdk/tensor/doubles.hpp"
#include "small_cnn.hpp"
#include "supervised.hpp"
#include "support/tensor_matchers.hpp"

namespace seedbed::testing {
namespace {

using namespace label_correction;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

// ---- The course of memorisation

std::vector<CurvePoint> points_on(const MemorisationCurve& curve, int count, double per_epoch) {
  std::vector<CurvePoint> points;
  for (int i = 1; i <= count; ++i) points.push_back({i / per_epoch, curve.at(i / per_epoch)});
  return points;
}

TEST(MemorisationCurve, IsFoundAgainFromItsPoints) {
  for (const MemorisationCurve wanted :
       {MemorisationCurve{0.6, 0.8, 0.5}, {0.9, 0.5, 1.5}, {0.35, 1.0, 2.0}, {0.5, 0.3, 0.8}}) {
    const MemorisationCurve found = fitted_curve(points_on(wanted, 60, 4));
    EXPECT_NEAR(found.a, wanted.a, 1e-3);
    EXPECT_NEAR(found.b, wanted.b, 1e-3);
    EXPECT_NEAR(found.c, wanted.c, 1e-3);
  }
}

// The minimum that scipy.optimize.curve_fit finds (1.17; trust region, bounds, sigma from 1 to 0.1), which is what the release
// calls.
TEST(MemorisationCurve, IsTheOneThatSciPyFindsInDisturbedPoints) {
  const std::vector<std::pair<MemorisationCurve, MemorisationCurve>> cases{
      {{0.6, 0.8, 0.5}, {0.59803589, 0.75786476, 0.48460685}},
      {{0.9, 0.5, 1.5}, {0.87653644, 0.53255705, 1.46619905}},
      {{0.35, 1.0, 2.0}, {0.34764605, 1.0, 1.92465242}},
      {{0.5, 0.3, 0.8}, {0.47966633, 0.35366815, 0.72755502}}};
  for (const auto& [truth, wanted] : cases) {
    std::vector<CurvePoint> points = points_on(truth, 60, 4);
    for (std::size_t i = 0; i < points.size(); ++i)
      points[i].overlap += 0.02 * std::sin(7.0 * static_cast<double>(i + 1));
    const MemorisationCurve found = fitted_curve(points);
    EXPECT_NEAR(found.a, wanted.a, 1e-5);
    EXPECT_NEAR(found.b, wanted.b, 1e-5);
    EXPECT_NEAR(found.c, wanted.c, 1e-5);
  }
}

TEST(MemorisationCurve, StaysWithinItsBounds) {
  // A course that falls, one that jumps, and one that exceeds 1.
  for (const std::vector<CurvePoint>& points : {std::vector<CurvePoint>{{1, 0.9}, {2, 0.5}, {3, 0.1}},
                                                {{1, 0.0}, {2, 0.0}, {3, 1.0}},
                                                {{1, 1.5}, {2, 1.6}, {3, 1.7}}}) {
    const MemorisationCurve found = fitted_curve(points);
    EXPECT_TRUE(found.a >= 0 && found.a <= 1) << found.a;
    EXPECT_TRUE(found.b >= 0 && found.b <= 1) << found.b;
    EXPECT_GT(found.c, 0);
  }
}

TEST(MemorisationCurve, LatePointsWeighMore) {
  // Early and late points lie on different plateaus; the later one wins.
  std::vector<CurvePoint> points;
  for (int i = 1; i <= 20; ++i) points.push_back({static_cast<double>(i), i <= 10 ? 0.3 : 0.7});
  EXPECT_GT(fitted_curve(points).at(20), 0.6);
}

TEST(MemorisationCurve, UpdatesOnceTheSlopeHasFallen) {
  // With b = 1 the slope is proportional to exp(-x / c): it has lost 90 % once x - 1 > c ln 10.
  const MemorisationCurve curve{0.5, 1.0, 2.0};
  EXPECT_EQ(update_epoch(curve, 0.9, 15), static_cast<int>(std::ceil(1 + 2 * std::log(10.0))));
  EXPECT_EQ(update_epoch({0.5, 1.0, 1000.0}, 0.9, 15), 16);  // straight on
  EXPECT_EQ(update_epoch({0.0, 1.0, 1.0}, 0.9, 15), 16);     // flat: nothing was learnt that could be forgotten
}

TEST(MemorisationCurve, HasTheSlopeOfItsValues) {
  const MemorisationCurve curve{0.7, 0.6, 0.9};
  for (const double x : {0.5, 1.0, 3.0}) {
    EXPECT_NEAR(curve.slope(x), (curve.at(x + 1e-5) - curve.at(x - 1e-5)) / 2e-5, 1e-6);
  }
}

TEST(OverlapHistory, HoldsAPointForEveryLabelThatWasSeen) {
  KeptMaps store;
  OverlapHistory history(store, 3);
  history.record(0.5);  // nothing was counted
  EXPECT_TRUE(history.points(0).empty());
  const at::Tensor target = at::tensor({0, 0, 1, 255, 254}, at::kLong).view({1, 1, 5});
  history.count(at::tensor({0, 1, 1, 1, 2}, at::kLong).view({1, 1, 5}), target);
  history.record(1.0);
  ASSERT_EQ(history.points(0).size(), 1u);
  EXPECT_EQ(history.points(0)[0].epoch, 1.0);
  EXPECT_DOUBLE_EQ(history.points(0)[0].overlap, 0.5);  // one of two
  EXPECT_DOUBLE_EQ(history.points(1)[0].overlap, 0.5);
  EXPECT_TRUE(history.points(2).empty());
  history.record(2.0);  // nothing since
  EXPECT_EQ(history.points(0).size(), 1u);
}

// ---- Labels that change

at::Tensor probabilities_of(const at::Tensor& labels_hw, double confidence, std::int64_t num_labels) {
  const at::Tensor one_hot = at::one_hot(labels_hw, num_labels).permute({2, 0, 1}).to(at::kFloat);
  return one_hot * confidence + (1 - one_hot) * ((1 - confidence) / static_cast<double>(num_labels - 1));
}

TEST(CorrectedLabels, TakeConfidentAllowedPredictionsAlone) {
  const at::Tensor labels = at::tensor({1, 1, 1, 255}, at::kLong).view({1, 4});
  const at::Tensor predicted = at::tensor({0, 2, 1, 1}, at::kLong).view({1, 4});
  const at::Tensor sure = probabilities_of(predicted, 0.9, 3);
  const auto allowed = [](bool first, bool second) {
    return at::tensor({1, first ? 1 : 0, second ? 1 : 0}).to(at::kBool);
  };
  EXPECT_THAT(corrected(labels, sure, allowed(true, true), {}).value(), equals_tensor(predicted));
  EXPECT_THAT(corrected(labels, sure, allowed(true, false), {}).value(),
              equals_tensor(at::tensor({0, 1, 1, 1}, at::kLong).view({1, 4})));
  EXPECT_THAT(corrected(labels, probabilities_of(predicted, 0.8 - 1e-3, 3), allowed(true, true), {}).value(),
              equals_tensor(labels));
}

TEST(CorrectedLabels, KeepImagesWhoseForegroundWouldVanish) {
  at::Tensor labels = at::zeros({10, 10}, at::kLong);
  labels.slice(0, 0, 1).fill_(1);
  const at::Tensor nothing = probabilities_of(at::zeros({10, 10}, at::kLong), 0.9, 2);
  EXPECT_FALSE(corrected(labels, nothing, at::ones({2}, at::kBool), {}).has_value());
  labels.slice(0, 0, 5).fill_(1);  // the same with a bound that lets it pass
  EXPECT_TRUE(corrected(labels, nothing, at::ones({2}, at::kBool), {.max_background = 1.0}).has_value());
}

ViewBatch view_of(const at::Tensor& target_hw, const at::Tensor& to_image_23) {
  ViewBatch view;
  view.target_nhw = target_hw.unsqueeze(0);
  view.to_image_n23 = to_image_23.unsqueeze(0);
  view.image_ids = {"image"};
  return view;
}

at::Tensor affine(std::vector<double> numbers) { return at::tensor(numbers, at::kDouble).view({2, 3}); }

TEST(CorrectedLabels, FollowTheAugmentationOfAView) {
  KeptMaps labels, geometry;
  CorrectedLabels store(labels, geometry);
  const at::Tensor kept = at::arange(12, at::kLong).view({3, 4});
  const ViewBatch image = view_of(at::zeros({3, 4}, at::kLong), affine({1, 0, 0, 0, 1, 0}));
  EXPECT_THAT(store.of_batch(image), equals_tensor(image.target_nhw));  // nobody corrected it
  store.keep(image, kept);
  EXPECT_THAT(store.of_image(image), equals_tensor(kept));
  EXPECT_THAT(store.of_batch(image)[0], equals_tensor(kept));
  // Mirrored; twice as large; a crop that reaches past the image.
  EXPECT_THAT(store.of_batch(view_of(at::zeros({3, 4}, at::kLong), affine({-1, 0, 4, 0, 1, 0})))[0],
              equals_tensor(kept.flip(1)));
  const at::Tensor twice = kept.repeat_interleave(2, 0).repeat_interleave(2, 1);
  EXPECT_THAT(store.of_batch(view_of(at::zeros({6, 8}, at::kLong), affine({0.5, 0, 0, 0, 0.5, 0})))[0],
              equals_tensor(twice));
  const at::Tensor cropped = store.of_batch(view_of(at::zeros({2, 2}, at::kLong), affine({1, 0, 3, 0, 1, 2})))[0];
  EXPECT_THAT(cropped, equals_tensor(at::tensor({11, 255, 255, 255}, at::kLong).view({2, 2})));
}

TEST(CorrectedLabels, MayBeKeptAtAnotherSizeThanTheImage) {
  KeptMaps labels, geometry;
  CorrectedLabels store(labels, geometry);
  const at::Tensor kept = at::arange(4, at::kLong).view({2, 2});
  store.keep(view_of(at::zeros({2, 2}, at::kLong), affine({2, 0, 0, 0, 2, 0})), kept);  // of an image of 4 x 4
  EXPECT_THAT(store.of_batch(view_of(at::zeros({4, 4}, at::kLong), affine({1, 0, 0, 0, 1, 0})))[0],
              equals_tensor(kept.repeat_interleave(2, 0).repeat_interleave(2, 1)));
}

// ---- Agreement of scales

TEST(Disagreement, IsNothingWhereScalesAgreeAndTheDivergenceElsewhere) {
  const at::Tensor logits = smooth_images(1, 5, 6) * 8;
  EXPECT_NEAR(disagreement({logits, logits, logits}, 0.0, AgreementWhere::confident_pixels).item<double>(), 0.0, 1e-3);
  // Two scales, one pixel, probabilities (0.9, 0.1) and (0.5, 0.5): the mixture is (0.7, 0.3).
  const at::Tensor p = at::tensor({0.9, 0.1}).view({1, 2, 1, 1}).to(at::kFloat);
  const at::Tensor q = at::tensor({0.5, 0.5}).view({1, 2, 1, 1}).to(at::kFloat);
  const double wanted = 0.5 * (0.9 * std::log(0.9 / 0.7) + 0.1 * std::log(0.1 / 0.3) + 0.5 * std::log(0.5 / 0.7) +
                               0.5 * std::log(0.5 / 0.3));
  EXPECT_NEAR(disagreement({p.log(), q.log()}, 0.0, AgreementWhere::confident_pixels).item<double>(), wanted, 1e-6);
  EXPECT_EQ(disagreement({p.log(), q.log()}, 0.8, AgreementWhere::confident_pixels).item<double>(), 0.0);
}

TEST(Disagreement, CountsWholeImagesOrPixels) {
  // The left pixel is sure (0.95 at both scales); the right one is not, and its scales differ.
  const at::Tensor sure = at::tensor({0.95F, 0.05F}).log(), left = at::tensor({0.7F, 0.3F}).log(),
                   right = at::tensor({0.3F, 0.7F}).log();
  const at::Tensor a = at::stack({sure, left}, 1).view({1, 2, 1, 2}),
                   b = at::stack({sure, right}, 1).view({1, 2, 1, 2});
  EXPECT_NEAR(disagreement({a, b}, 0.8, AgreementWhere::confident_pixels).item<double>(), 0.0, 1e-6);
  EXPECT_GT(disagreement({a, b}, 0.8, AgreementWhere::confident_images).item<double>(), 0.01);
}

TEST(ScaledImages, HaveSidesThatABackboneTakes) {
  const at::Tensor images = smooth_images(1, 45, 67);
  EXPECT_THAT(scaled_images(images, 0.8, 1, 1), has_shape({1, 3, 36, 54}));
  EXPECT_THAT(scaled_images(images, 1.5, 16, 32), has_shape({1, 3, 64, 96}));
  EXPECT_THAT(scaled_images(images, 0.1, 16, 32), has_shape({1, 3, 32, 32}));
  EXPECT_THAT(scaled_images(images, 1.0, 16, 32), equals_tensor(images));
}

// ---- Filling

TEST(FilledLabels, UndecidedPixelsTakeTheTeachersLabelAndWeight) {
  const at::Tensor target = at::tensor({254, 254, 1, 255}, at::kLong).view({1, 1, 4});
  // Labels 0, 1, 2; class 2 is not in the image.
  const at::Tensor seen = at::tensor({0.6F, 0.1F, 0.2F, 0.3F,  //
                                      0.3F, 0.7F, 0.3F, 0.3F,  //
                                      0.1F, 0.2F, 0.5F, 0.4F})
                              .view({1, 3, 1, 4});
  const at::Tensor present = at::tensor({1, 0}).to(at::kBool).view({1, 2});
  const Labels filled = filled_labels(target, seen, seen, present);
  EXPECT_THAT(filled.target_nhw, equals_tensor(at::tensor({0, 1, 1, 255}, at::kLong).view({1, 1, 4})));
  EXPECT_THAT(filled.weights_nhw, all_close(at::tensor({0.3F, 0.7F, 1.0F, 1.0F}).view({1, 1, 4}), 1e-6));
}

// ---- The strategies

class LabelCorrectionTest : public ::testing::Test {
 protected:
  // Equal seeds give equal networks.
  ModelContext parts(std::uint64_t seed) {
    run_.generator().set_current_seed(seed);
    ModelContext context;
    context.class_names = {"first", "second"};
    context.run = &run_;
    context.backbone = std::make_shared<small_cnn::SmallCnn>(SmallCnnParameters{.width = 8}, run_.generator());
    context.output_channels = 3;
    context.head = std::make_shared<linear_head::LinearHead>(LinearParameters{}, context);
    context.losses = {{"main", 1.0, std::make_shared<cross_entropy::CrossEntropy>(CrossEntropyParameters{}, context)}};
    return context;
  }

  std::shared_ptr<EmaFill> ema_fill(const EmaFillParameters& parameters = {}, std::uint64_t seed = 1) {
    return std::make_shared<EmaFill>(parameters, parts(seed));
  }
  std::shared_ptr<Adele> adele(const AdeleParameters& parameters = {}, std::uint64_t seed = 1) {
    return std::make_shared<Adele>(parameters, parts(seed));
  }
  std::shared_ptr<TrainingStrategy> supervised() {
    return std::make_shared<supervised::Supervised>(SupervisedParameters{}, parts(1));
  }

  // The label of a pixel follows from the sign of its first channel.
  static ViewBatch images(std::vector<std::string> ids) {
    const auto n = static_cast<std::int64_t>(ids.size());
    ViewBatch batch;
    batch.images_nchw = smooth_images(n, 32, 40);
    batch.images_raw_nhwc = smooth_images_raw(n, 32, 40);
    batch.target_nhw = batch.images_nchw.select(1, 0).gt(0).to(at::kLong);
    batch.present_nc = at::tensor({1, 0}).to(at::kBool).expand({n, 2});
    batch.to_image_n23 = at::eye(3, at::kDouble).slice(0, 0, 2).expand({n, 2, 3});
    batch.image_ids = std::move(ids);
    return batch;
  }

  StepRequest step(KeptServices& services, std::int64_t number = 0) {
    StepRequest request;
    request.streams["main"]["main"] = images({"a", "b"});
    request.step = number;
    request.num_steps = 60;
    request.num_epochs = 20;
    request.map_store = [&services](std::string_view name) -> MapStore& { return services.map_store(name); };
    request.run = &run_;
    return request;
  }

  // One step of gradient descent.
  static double descend(TrainingStrategy& strategy, const StepRequest& request) {
    strategy.train(true);
    at::Tensor sum;
    for (const auto& [name, value] : strategy.training_step(request)) sum = sum.defined() ? sum + value : value;
    sum.backward();
    const c10::NoGradGuard no_grad;
    for (const ParameterGroup& group : strategy.parameter_groups()) {
      for (at::Tensor parameter : group.parameters) {
        if (!parameter.grad().defined()) continue;
        parameter.sub_(parameter.grad(), 0.1 * group.learning_rate_factor);
        parameter.mutable_grad().reset();
      }
    }
    strategy.after_step(request);
    return sum.item<double>();
  }

  // Steps `from` to `to`, three an epoch.
  void fit(TrainingStrategy& strategy, KeptServices& services, std::int64_t from, std::int64_t to) {
    for (std::int64_t number = from; number < to; ++number) {
      descend(strategy, step(services, number));
      if (number % 3 != 2) continue;
      const c10::NoGradGuard no_grad;
      strategy.train(false);
      services.set_epoch(number / 3);
      strategy.after_epoch(services);
    }
  }

  FakeRun run_;
};

TEST_F(LabelCorrectionTest, EmaFillIsSupervisedWhereNothingIsUndecided) {
  const auto filling = ema_fill(), teacher = ema_fill();
  const auto plain = supervised();
  KeptServices services(run_, {});
  StepRequest request = step(services);
  request.teacher = teacher.get();
  const double wanted = plain->training_step(request).front().second.item<double>();
  EXPECT_NEAR(filling->training_step(request).front().second.item<double>(), wanted, 1e-6);
}

TEST_F(LabelCorrectionTest, EmaFillLearnsFromItsTeacherWhereLabelsAreOpen) {
  const auto student = ema_fill({}, 1), teacher = ema_fill({}, 2);
  KeptServices services(run_, {});
  StepRequest request = step(services);
  request.teacher = teacher.get();
  ViewBatch& batch = request.streams["main"]["main"];
  batch.target_nhw.fill_(kUndecidedLabel);
  const double filled = student->training_step(request).front().second.item<double>();
  EXPECT_GT(filled, 0.0);
  // Before its step comes, undecided pixels do not count.
  const auto waiting = ema_fill({.fill_from_step = 5});
  EXPECT_EQ(waiting->training_step(request).front().second.item<double>(), 0.0);
  // Unweighted, it is the loss against the teacher's own labels.
  const auto unweighted = ema_fill({.teacher_labels = "all", .weigh_filled = false});
  const double found = unweighted->training_step(request).front().second.item<double>();
  const c10::NoGradGuard no_grad;
  batch.target_nhw = at::upsample_bilinear2d(teacher->predict(batch.images_nchw, run_), {32, 40}, false).argmax(1);
  EXPECT_NEAR(supervised()->training_step(request).front().second.item<double>(), found, 1e-5);
}

TEST_F(LabelCorrectionTest, EmaFillNeedsATeacherAndALossThatReadsWeights) {
  KeptServices services(run_, {});
  EXPECT_THAT([&] { ema_fill()->training_step(step(services)); },
              ThrowsMessage<UserError>(HasSubstr("the fit keeps none")));
  ModelContext context = parts(1);
  context.losses = {{"main", 1.0, std::make_shared<multilabel_soft_margin::MultilabelSoftMargin>()}};
  EXPECT_THAT([&] { EmaFill({}, context); }, ThrowsMessage<UserError>(HasSubstr("no loss of the study reads weights")));
}

TEST_F(LabelCorrectionTest, StrategiesAreGivenWhatTheyDeclare) {
  KeptServices services(run_, {});
  const auto teacher = ema_fill();
  StepRequest request = step(services);
  request.teacher = teacher.get();
  request.streams["main"]["main"].present_nc.reset();
  request.streams["main"]["main"].target_nhw.fill_(kUndecidedLabel);
  EXPECT_THAT([&] { ema_fill()->training_step(request); },
              ThrowsMessage<ContractError>(HasSubstr("the image labels that it declares")));
}

TEST_F(LabelCorrectionTest, AdeleHasAMeanTermALossAndAConsistencyTerm) {
  const auto method = adele();
  KeptServices services(run_, {});
  const LossTerms terms = method->training_step(step(services));
  ASSERT_EQ(terms.size(), 2u);
  EXPECT_EQ(terms[0].first, "main");
  EXPECT_EQ(terms[1].first, "consistency");
  // One scale alone is supervised training with corners aligned: its weight is 1.
  const auto single = adele({.training_scales = {1.0}});
  const LossTerms one = single->training_step(step(services));
  ASSERT_EQ(one.size(), 1u);
  ModelContext context = parts(1);
  context.losses = {
      {"main", 1.0,
       std::make_shared<cross_entropy::CrossEntropy>(CrossEntropyParameters{.align_corners = true}, context)}};
  const double wanted = supervised::Supervised({}, context).training_step(step(services))[0].second.item<double>();
  EXPECT_NEAR(one[0].second.item<double>(), wanted, 1e-5);
}

// The overlap saturates within the first epochs, so the class is corrected and its wrong labels give way.
TEST_F(LabelCorrectionTest, AdeleCorrectsLabelsOnceTheCourseFlattens) {
  const auto method =
      adele({.record_every = 1, .relative_change = 0.5, .correction_scales = {1.0}, .correction_confidence = 0.5});
  KeptServices services(run_, {images({"a"}), images({"b"})});
  EXPECT_TRUE(services.map_store("labels").image_ids().empty());
  fit(*method, services, 0, 60);
  ASSERT_TRUE(services.map_store("overlaps").contains("corrected"));
  EXPECT_TRUE(services.map_store("overlaps").read("corrected")[1].item<bool>());
  EXPECT_FALSE(services.map_store("overlaps").read("corrected")[2].item<bool>());  // never seen
  ASSERT_TRUE(services.map_store("labels").contains("a"));
  const at::Tensor labels = services.map_store("labels").read("a");
  EXPECT_TRUE(labels.lt(2).all().item<bool>());  // class 2 is not in the image
}

// State lies in modules and stores alone: who goes on from copies of both does the same.
TEST_F(LabelCorrectionTest, AdeleGoesOnFromItsStateAndItsStores) {
  const AdeleParameters parameters{.record_every = 2, .relative_change = 0.5, .correction_confidence = 0.5};
  const auto whole = adele(parameters, 1);
  KeptServices stores(run_, {images({"a"}), images({"b"})});
  fit(*whole, stores, 0, 25);  // in the middle of an epoch, and of a stretch of the course
  const auto resumed = adele(parameters, 2);
  EXPECT_TRUE(resumed->load_state(whole->state()).complete());
  KeptServices copied(run_, {images({"a"}), images({"b"})});
  copied.stores() = stores.stores();
  fit(*whole, stores, 25, 40);
  fit(*resumed, copied, 25, 40);
  for (const auto& [name, tensor] : whole->state())
    EXPECT_THAT(resumed->state().at(name), equals_tensor(tensor)) << name;
  for (const auto& [name, kept] : stores.stores()) {
    for (const std::string& id : kept.image_ids()) {
      EXPECT_TRUE(at::equal(copied.map_store(name).read(id).nan_to_num(-1), kept.read(id).nan_to_num(-1)))
          << name << id;
    }
  }
  EXPECT_FALSE(stores.map_store("labels").image_ids().empty());
}

}  // namespace
}  // namespace seedbed::testing
