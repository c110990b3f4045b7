#include "seedbed/checks.hpp"

#include <functional>
#include <limits>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "doubles.hpp"
#include "support/formula_tensors.hpp"

namespace seedbed {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

/// Expects that `call` breaks a promise whose message holds `words` and the method's id.
void expect_broken(const std::function<void()>& call, const std::string& words) {
  EXPECT_THAT(call, ThrowsMessage<ContractError>(AllOf(HasSubstr("`some_method`"), HasSubstr(words))));
}

ScoreMaps maps(std::int64_t n, std::vector<std::int64_t> planes) {
  ScoreMaps maps;
  maps.scores_nphw = at::full({n, std::max<std::int64_t>(1, static_cast<std::int64_t>(planes.size())), 3, 4}, 0.5);
  maps.planes = std::move(planes);
  maps.covered.assign(static_cast<std::size_t>(n), {0, 0, 12, 16});
  return maps;
}

TEST(CheckScoreMaps, AcceptsWhatKeepsThePromises) {
  check_score_maps(maps(2, {1, 2}), 2, "some_method");
  check_score_maps(maps(1, {0, 7, 20}), 1, "some_method");
  check_score_maps(maps(1, {}), 1, "some_method");  // class-agnostic
}

TEST(CheckScoreMaps, NamesEachBrokenPromise) {
  const auto broken = [](const std::function<void(ScoreMaps&)>& spoil, const std::string& words) {
    ScoreMaps spoilt = maps(2, {1, 2});
    spoil(spoilt);
    expect_broken([&] { check_score_maps(spoilt, 2, "some_method"); }, words);
  };
  broken([](ScoreMaps& m) { m.scores_nphw = at::Tensor(); }, "scores_nphw is defined");
  broken([](ScoreMaps& m) { m.scores_nphw = m.scores_nphw.to(at::kDouble); }, "expected `Float`, found `Double`");
  broken([](ScoreMaps& m) { m.scores_nphw = m.scores_nphw[0]; }, "expected `[2, 2, -1, -1]`, found `[2, 3, 4]`");
  broken([](ScoreMaps& m) { m.scores_nphw = at::zeros({1, 2, 3, 4}); }, "found `[1, 2, 3, 4]`");
  broken([](ScoreMaps& m) { m.scores_nphw = at::zeros({2, 3, 3, 4}); }, "found `[2, 3, 3, 4]`");
  broken([](ScoreMaps& m) { m.scores_nphw = at::zeros({2, 2, 0, 4}); }, "found `[2, 2, 0, 4]`");
  broken([](ScoreMaps& m) { m.scores_nphw[1][0][2][3] = kNan; }, "`nan` at `[1, 0, 2, 3]`");
  broken([](ScoreMaps& m) { m.scores_nphw[0][1][0][0] = -kInfinity; }, "`-inf` at `[0, 1, 0, 0]`");
  broken([](ScoreMaps& m) { m.scores_nphw.requires_grad_(); }, "carries no graph");
  broken([](ScoreMaps& m) { m.planes = {2, 1}; }, "strictly increasing");
  broken([](ScoreMaps& m) { m.planes = {1, 1}; }, "`[1, 1]`");
  broken([](ScoreMaps& m) { m.planes = {-1, 2}; }, "strictly increasing");
  broken([](ScoreMaps& m) { m.covered.pop_back(); }, "expected `2`, found `1`");
  broken([](ScoreMaps& m) { m.covered[1].right = 0; }, "covered area is not empty");
  broken([](ScoreMaps& m) { m.value = ValueKind::probability, m.scores_nphw.fill_(0.6); }, "sum to one");
  broken([](ScoreMaps& m) { m.value = ValueKind::probability, m.scores_nphw.fill_(1.5); }, "stays in its range");
}

TEST(CheckFusedMaps, WantsRangeAndZerosForAbsentClasses) {
  const at::Tensor present = at::tensor({1, 0}).to(at::kBool).view({1, 2});
  ScoreMaps fused = maps(1, {1, 2});
  fused.scores_nphw.select(1, 1).zero_();
  check_fused_maps(fused, present, "some_method");
  check_fused_maps(fused, {}, "some_method");
  fused.scores_nphw[0][1][0][0] = 0.25;
  expect_broken([&] { check_fused_maps(fused, present, "some_method"); }, "`0.25` for class `2` of image `0`");
  fused.scores_nphw[0][1][0][0] = -0.5;
  expect_broken([&] { check_fused_maps(fused, {}, "some_method"); }, "expected `0` .. `1`, found `-0.5` .. `0.5`");

  ScoreMaps with_background = maps(1, {0, 1});
  check_fused_maps(with_background, present, "some_method");  // the background is never absent
}

class CheckSeedResult : public ::testing::Test {
 protected:
  CheckSeedResult() {
    manifest_.id = "some_method";
    request_.images_nchw = at::zeros({2, 3, 12, 16});
    request_.views.assign(2, View{"image", 4, 5, 1.0, false, {0, 0, 4, 5}});
    result_.maps = maps(2, {1, 2});
  }
  void expect(const std::string& words) {
    expect_broken([&] { check_seed_result(result_, request_, 2, manifest_); }, words);
  }
  MethodManifest manifest_;
  SeedRequest request_;
  SeedResult result_;
};

TEST_F(CheckSeedResult, AcceptsPlainEvidence) { check_seed_result(result_, request_, 2, manifest_); }

TEST_F(CheckSeedResult, WantsEveryClass) {
  result_.maps = maps(2, {1});
  expect("one plane for each class");
}

TEST_F(CheckSeedResult, WantsClassesInTheirOrder) {
  result_.maps = maps(2, {1, 3});
  expect("`[1, 3]`");
}

TEST_F(CheckSeedResult, WantsClassAgnosticMapsDeclared) {
  result_.maps = maps(2, {});
  expect("`class_agnostic`");
  manifest_.when.push_back({"mode", {}, {"class_agnostic"}, {}});
  check_seed_result(result_, request_, 2, manifest_);
}

TEST_F(CheckSeedResult, WantsTheDeclaredKindOfValue) {
  manifest_.gives.value = "probability";
  expect("expected probability, found evidence");
}

TEST_F(CheckSeedResult, WantsLogitsOfEachClass) {
  result_.logits_nc = at::zeros({2, 3});
  expect("logits_nc has its shape");
}

TEST_F(CheckSeedResult, WantsASegmentationDeclared) {
  result_.segmentation_nkhw = at::zeros({2, 3, 4, 4});
  expect("`segments`");
  manifest_.traits = {"segments"};
  check_seed_result(result_, request_, 2, manifest_);
  result_.segmentation_nkhw = at::zeros({2, 2, 4, 4});
  expect("segmentation_nkhw has its shape");
}

TEST_F(CheckSeedResult, WantsExactlyTheSideArtefactsAskedFor) {
  request_.side_artefacts_wanted = {"affinity"};
  expect("nothing of that name");
  result_.side_artefacts["affinity"] = at::zeros({3, 4});
  expect("leading dimension is N");
  result_.side_artefacts["affinity"] = at::full({2, 4}, kNan);
  expect("`affinity` is finite");
  result_.side_artefacts["affinity"] = at::zeros({2, 4});
  check_seed_result(result_, request_, 2, manifest_);
  result_.side_artefacts["other"] = at::zeros({2});
  expect("only what was asked for, found `other`");
}

TEST_F(CheckSeedResult, WantsAddedEvidenceOfTheSamePlanes) {
  result_.added_nchw = {at::zeros({2, 2, 7, 9})};
  check_seed_result(result_, request_, 2, manifest_);
  result_.added_nchw.push_back(at::zeros({2, 3, 7, 9}));
  expect("added_nchw has its shape");
  result_.added_nchw.back() = at::zeros({2, 2, 7, 9}).set_requires_grad(true);
  expect("added_nchw carries no graph");
}

TEST_F(CheckSeedResult, WantsInstancesInOrder) {
  result_.instances = {{Instance{at::ones({4, 5}, at::kBool), 1, 0.5}}, {}};
  expect("`instances`");
  manifest_.traits = {"instances"};
  check_seed_result(result_, request_, 2, manifest_);
  result_.instances[0][0].class_id = 3;
  expect("an instance names a class");
  result_.instances[0][0].class_id = 1;
  result_.instances[0][0].score = kNan;
  expect("score is finite");
  result_.instances[0][0].mask_hw = at::ones({4, 5});
  expect("mask has its type");
  result_.instances[0][0].mask_hw = at::ones({12, 16}, at::kBool);
  expect("mask has its shape");
  result_.instances.pop_back();
  expect("one list an image");
}

class CheckRefineResult : public ::testing::Test {
 protected:
  CheckRefineResult() {
    manifest_.id = "some_method";
    manifest_.gives = {"scores", "same", "same"};
    request_.images_nhwc = at::zeros({1, 3, 4, 3}, at::kByte);
    request_.maps = maps(1, {0, 2});
    result_.maps = maps(1, {0, 2});
  }
  void expect(const std::string& words) {
    expect_broken([&] { check_refine_result(result_, request_, manifest_); }, words);
  }
  MethodManifest manifest_;
  RefineRequest request_;
  RefineResult result_;
};

TEST_F(CheckRefineResult, AcceptsMapsOfTheSameType) { check_refine_result(result_, request_, manifest_); }

TEST_F(CheckRefineResult, WantsWhatTheManifestDeclares) {
  result_.labels.labels_nhw = at::zeros({1, 3, 4}, at::kByte);
  expect("expected maps alone, found both");
  result_.maps = {};
  expect("found labels");
  result_.labels = {};
  expect("found neither");
  manifest_.gives.form = "labels";
  expect("expected labels alone");
}

TEST_F(CheckRefineResult, WantsPlanesBackgroundAndValueAsDeclared) {
  result_.maps = maps(1, {0, 3});
  expect("keeps the classes");
  result_.maps = maps(1, {2});
  expect("expected a background plane, found none");
  manifest_.gives.background = "absent";
  check_refine_result(result_, request_, manifest_);
  result_.maps = maps(1, {0, 2});
  expect("expected none");
  manifest_.gives.background = "present";
  result_.maps.value = ValueKind::probability;
  expect("declared kind of value");
}

TEST_F(CheckRefineResult, WantsLabelsOfTheImageSize) {
  manifest_.gives.form = "labels";
  result_.maps = {};
  result_.labels.labels_nhw = at::zeros({1, 3, 4}, at::kByte);
  check_refine_result(result_, request_, manifest_);
  result_.labels.labels_nhw = at::zeros({1, 6, 4}, at::kByte);
  expect("labels_nhw has its shape");
  result_.labels.labels_nhw = at::full({1, 3, 4}, 5, at::kByte);
  request_.present_nc = at::ones({1, 2}, at::kBool);
  expect("found `5`");
}

TEST(CheckLabelMaps, WantsKnownLabels) {
  LabelMaps labels{at::tensor({0, 1, 2, 254, 255}, at::kByte).view({1, 1, 5}), {}};
  check_label_maps(labels, 2, "some_method");
  expect_broken([&] { check_label_maps(labels, 1, "some_method"); }, "found `2`");
  labels.confidence_nhw = at::full({1, 1, 5}, 1.5);
  expect_broken([&] { check_label_maps(labels, 2, "some_method"); }, "confidence_nhw stays in its range");
  labels.confidence_nhw = at::ones({1, 5});
  expect_broken([&] { check_label_maps(labels, 2, "some_method"); }, "confidence_nhw has its shape");
  labels.labels_nhw = labels.labels_nhw.to(at::kLong);
  expect_broken([&] { check_label_maps(labels, 2, "some_method"); }, "expected `Byte`, found `Long`");
  expect_broken([&] { check_label_maps({}, 2, "some_method"); }, "labels_nhw is defined");
}

class CheckForwardResult : public ::testing::Test {
 protected:
  CheckForwardResult() {
    request_.images_nchw = testing::formula_input("images", {2, 3, 16, 16});
    request_.keep = {"stage1", "block.0"};
    result_ = backbone_.forward(request_);
  }
  void expect(const std::string& words) {
    expect_broken([&] { check_forward_result(result_, request_, backbone_, "some_method"); }, words);
  }
  testing::TinyBackbone backbone_{testing::generator()};
  ForwardRequest request_;
  ForwardResult result_;
};

TEST_F(CheckForwardResult, AcceptsTheTapsAskedFor) {
  check_forward_result(result_, request_, backbone_, "some_method");
}

TEST_F(CheckForwardResult, WantsExactlyTheTapsAskedFor) {
  result_.taps.erase("stage1");
  expect("expected `stage1`");
  result_.taps["stage1"] = at::zeros({2, 4, 8, 8});
  result_.taps["final"] = at::zeros({2, 8, 4, 4});
  expect("only what was asked for, found `final`");
}

TEST_F(CheckForwardResult, WantsTheirStatedShape) {
  result_.taps["stage1"] = at::zeros({2, 5, 8, 8});
  expect("tap `stage1` has its shape");
  result_.taps["stage1"] = at::zeros({2, 4, 8, 8});
  result_.taps["block.0"] = at::zeros({2, 8, 4, 4});
  expect("tap `block.0` has its shape (-1 is any); expected `[2, -1, 8]`");
}

TEST_F(CheckForwardResult, WantsFiniteFloats) {
  result_.taps["stage1"] = at::full({2, 4, 8, 8}, kNan);
  expect("tap `stage1` is finite");
  result_.taps["stage1"] = at::zeros({2, 4, 8, 8}, at::kHalf);
  expect("tap `stage1` has its type");
}

TEST_F(CheckForwardResult, WantsTheExportsAskedFor) {
  AttentionBlockPlan plan;
  plan.blocks = {-1};
  plan.exports = {"soft"};
  request_.attention.blocks = {plan};
  expect("expected `block.0.soft`");
  result_.attention["block.0.soft"] = at::zeros({2, 15, 16});
  expect("an attention map has a row for every key");
  result_.attention["block.0.soft"] = at::zeros({1, 16, 16});
  expect("leading dimension is N");
  result_.attention["block.0.soft"] = at::zeros({2, 16, 16});
  check_forward_result(result_, request_, backbone_, "some_method");
}

TEST(CheckLossValue, WantsAFiniteScalarWithAGraph) {
  const at::Tensor logits = at::ones({2, 3}).requires_grad_();
  check_loss_value(logits.sum(), "some_method");
  expect_broken([&] { check_loss_value(logits, "some_method"); }, "the loss has its shape");
  expect_broken([&] { check_loss_value(logits.sum() * kInfinity, "some_method"); }, "the loss is finite");
  expect_broken([&] { check_loss_value(at::zeros({}), "some_method"); }, "has a graph");
  expect_broken([&] { check_loss_value(at::zeros({}, at::kLong), "some_method"); }, "floating-point");
  expect_broken([&] { check_loss_value({}, "some_method"); }, "the loss is defined");
  const c10::NoGradGuard no_grad;
  check_loss_value(at::zeros({}), "some_method");  // validation
}

TEST(CheckHeadResult, WantsLogitsOfEveryLabel) {
  HeadRequest request;
  request.taps["final"] = at::zeros({2, 8, 4, 4});
  HeadResult result{at::zeros({2, 3, 4, 4}), {at::zeros({2, 3, 2, 2})}};
  check_head_result(result, request, 3, "some_method");
  expect_broken([&] { check_head_result(result, request, 4, "some_method"); }, "logits_nkhw has its shape");
  result.auxiliary_logits[0] = at::full({2, 3, 2, 2}, kNan);
  expect_broken([&] { check_head_result(result, request, 3, "some_method"); }, "auxiliary_logits[0] is finite");
}

TEST(CheckLossTerms, WantsNamedFiniteScalars) {
  const at::Tensor value = at::ones({}).requires_grad_();
  check_loss_terms({{"a", value}, {"b", at::zeros({})}}, "some_method");
  expect_broken([] { check_loss_terms({}, "some_method"); }, "at least one term");
  expect_broken([&] { check_loss_terms({{"a", value}, {"a", value}}, "some_method"); }, "`a`");
  expect_broken([&] { check_loss_terms({{"", value}}, "some_method"); }, "names of their own");
  expect_broken([&] { check_loss_terms({{"a", value * kNan}}, "some_method"); }, "term `a` is finite");
  expect_broken([&] { check_loss_terms({{"a", value.detach()}}, "some_method"); }, "has a graph");
}

TEST(InputGuard, SeesChangedInputs) {
  const at::Tensor first = at::zeros({3}), second = at::full({2, 2}, kNan);
  const InputGuard guard({{"first", first}, {"second", second}, {"absent", {}}}, true);
  guard.verify("some_method");
  second[1][0] = 2;
  expect_broken([&] { guard.verify("some_method"); }, "`second`");
}

TEST(InputGuard, CountsInPlaceOperationsWithoutACopy) {
  const at::Tensor input = at::zeros({3}), view = input.slice(0, 1, 2);
  const InputGuard guard({{"input", input}}, false);
  view.add_(0);
  expect_broken([&] { guard.verify("some_method"); }, "left unchanged");
}

TEST(InputGuard, SeesWritesThroughPointersWhereThorough) {
  const at::Tensor input = at::zeros({3}), scalar = at::zeros({});
  const InputGuard quick({{"input", input}}, false), thorough({{"input", input}, {"scalar", scalar}}, true);
  input.data_ptr<float>()[1] = 5;
  quick.verify("some_method");
  expect_broken([&] { thorough.verify("some_method"); }, "`input`");
  input.data_ptr<float>()[1] = 0;
  thorough.verify("some_method");
  scalar.data_ptr<float>()[0] = 1;
  expect_broken([&] { thorough.verify("some_method"); }, "`scalar`");
}

}  // namespace
}  // namespace seedbed
