#include <algorithm>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <gmock/gmock.h>

#include "contract/methods_under_test.hpp"
#include "seedbed/checks.hpp"
#include "seedbed/refiner.hpp"
#include "seedbed/trainable.hpp"
#include "support/tensor_matchers.hpp"

namespace seedbed::testing {
namespace {

constexpr std::int64_t kNumClasses = 3;
constexpr double kFloatNoise = 1e-4;
constexpr std::string_view kMapsNeed = "maps:";

class RefinerContract : public ::testing::TestWithParam<MethodVariant> {
 protected:
  void SetUp() override {
    const MethodManifest& manifest = GetParam().method->manifest;
    for (const std::string& need : manifest.needs) {
      const bool served = need.starts_with("taps:") || need.starts_with(kMapsNeed) || need == "attention";
      if (!served) GTEST_SKIP() << "needs `" << need << "`";
    }
    if (manifest.takes.form != "scores") GTEST_SKIP() << "takes labels";
    if (GetParam().has("collects")) GTEST_SKIP() << "has a pass of its own first";
    SEEDBED_MAKE_OR_SKIP(made, make<Refiner>(GetParam(), context_for(manifest)));
    refiner_ = made;
    if (GetParam().has("trains")) train_one_step();
  }

  ModelContext context_for(const MethodManifest& manifest) {
    const bool attends = std::ranges::find(manifest.needs, "attention") != manifest.needs.end();
    ModelContext context = contract_context(run_, kNumClasses, !attends);
    if (attends) {
      context.backbone = make<Backbone>(MethodKind::backbone, "vit", context,
                                        {{"width", std::int64_t{16}},
                                         {"heads", std::int64_t{2}},
                                         {"depth", std::int64_t{9}},
                                         {"patch", std::int64_t{8}}});
    }
    return context;
  }

  // Background, two classes and a band in doubt, each a quarter of the columns.
  StepRequest step_request() {
    ViewBatch batch;
    batch.images_nchw = contract_images(2, 64, 64);
    batch.target_nhw = at::tensor(std::vector<std::int64_t>{0, 1, kIgnoreLabel, 3}, at::kLong)
                           .repeat_interleave(16)
                           .expand({2, 64, 64});
    batch.present_nc = at::tensor({1, 0, 1}, at::kInt).to(at::kBool).expand({2, kNumClasses});
    batch.image_ids = {"image0", "image1"};
    const at::Tensor planes = at::arange(kNumClasses + 1).view({1, -1, 1, 1});
    for (const std::string& need : GetParam().method->manifest.needs) {
      if (need.starts_with(kMapsNeed))
        batch.companions[need.substr(kMapsNeed.size())] = batch.target_nhw.unsqueeze(1).eq(planes).to(at::kFloat);
    }
    StepRequest request;
    request.streams["main"]["main"] = batch;
    request.num_steps = request.num_epochs = 1;
    request.term_weight = [](std::string_view) { return 1.0; };
    request.run = &run_;
    return request;
  }

  // A trained refiner is held to its promises behind a step of gradient descent.
  void train_one_step() {
    Trainable& trainable = *refiner_->trainable();
    refiner_->train(true);
    expect_groups_partition(trainable);
    const LossTerms terms = trainable.training_step(step_request());
    check_loss_terms(terms, GetParam().name);
    at::Tensor loss = at::zeros({});
    for (const auto& [name, term] : terms) loss = loss + term;
    loss.backward();
    expect_finite_gradients(trainable.trained_module());
    const c10::NoGradGuard no_grad;
    double largest = 0;
    for (const ParameterGroup& group : trainable.parameter_groups()) {
      for (at::Tensor parameter : group.parameters) {
        if (!parameter.grad().defined()) continue;
        largest = std::max(largest, parameter.grad().abs().max().item<double>());
        parameter.sub_(parameter.grad(), 0.01);
        parameter.mutable_grad().reset();
      }
    }
    EXPECT_GT(largest, 0.0) << "nothing is learnt from two classes and background";
    refiner_->train(false);
  }

  std::int64_t largest_batch() const { return GetParam().has("batched") ? 3 : 1; }

  // Every combination of planes and values that the manifest says it takes.
  std::vector<RefineRequest> requests(std::int64_t n, std::int64_t height, std::int64_t width) {
    const MapType& takes = GetParam().method->manifest.takes;
    std::vector<RefineRequest> all;
    for (const bool background : {false, true}) {
      if (takes.background != "any" && (takes.background == "present") != background) continue;
      for (const ValueKind value : {ValueKind::evidence, ValueKind::probability}) {
        if (takes.value != "any" && (takes.value == "probability") != (value == ValueKind::probability)) continue;
        all.push_back(request(n, height, width, background, value));
      }
    }
    return all;
  }

  RefineRequest request(std::int64_t n, std::int64_t height, std::int64_t width, bool background, ValueKind value) {
    RefineRequest request;
    request.images_nhwc = contract_images_raw(n, height, width);
    request.maps.planes = background ? std::vector<std::int64_t>{0, 1, 3} : std::vector<std::int64_t>{1, 3};
    const auto planes = static_cast<std::int64_t>(request.maps.planes.size());
    const at::Tensor waves = contract_images(n, (height + 7) / 8, (width + 7) / 8).slice(1, 0, planes);
    request.maps.value = value;
    request.maps.scores_nphw = value == ValueKind::probability ? waves.softmax(1) : waves.relu();
    request.maps.covered.assign(static_cast<std::size_t>(n),
                                {0, 0, static_cast<double>(height), static_cast<double>(width)});
    request.present_nc = at::tensor({1, 0, 1}, at::kInt).to(at::kBool).expand({n, kNumClasses});
    for (const std::string& name : GetParam().method->manifest.supervision.side_inputs) {
      request.side_inputs[name] = contract_images(n, height, width).slice(1, 1, 2).gt(0).to(at::kFloat);
    }
    for (std::int64_t i = 0; i < n; ++i) request.image_ids.push_back("image" + std::to_string(i));
    request.run = &run_;
    return request;
  }

  static at::Tensor given(const RefineResult& result) {
    return result.maps.scores_nphw.defined() ? result.maps.scores_nphw : result.labels.labels_nhw;
  }

  RefineResult refine(const RefineRequest& asked) {
    const c10::NoGradGuard no_grad;
    run_.generator().set_current_seed(7);
    return refiner_->refine(asked);
  }

  FakeRun run_;
  std::shared_ptr<Refiner> refiner_;
};

// Images are small: an exact filter's time grows with the square of their pixels.
TEST_P(RefinerContract, GivesWhatItPromises) {
  for (const std::int64_t n : {std::int64_t{1}, largest_batch()}) {
    for (const auto& [height, width] : {std::pair{21, 31}, {16, 9}, {24, 16}}) {
      for (const RefineRequest& asked : requests(n, height, width)) {
        check_refine_result(refine(asked), asked, GetParam().method->manifest);
      }
    }
  }
}

TEST_P(RefinerContract, StaysFiniteOnAnImageOfOneColour) {
  for (RefineRequest& asked : requests(1, 20, 31)) {
    asked.images_nhwc.fill_(128);
    check_refine_result(refine(asked), asked, GetParam().method->manifest);
  }
}

TEST_P(RefinerContract, RefinesEachImageByItself) {
  if (largest_batch() == 1 || GetParam().has("batch_coupled")) GTEST_SKIP() << "takes one image at a time";
  const RefineRequest together = requests(3, 21, 31).front();
  const at::Tensor all = given(refine(together));
  for (std::int64_t i = 0; i < 3; ++i) {
    RefineRequest alone = requests(1, 21, 31).front();
    alone.images_nhwc = together.images_nhwc.slice(0, i, i + 1);
    alone.maps.scores_nphw = together.maps.scores_nphw.slice(0, i, i + 1);
    for (auto& [name, side] : alone.side_inputs) side = together.side_inputs.at(name).slice(0, i, i + 1);
    EXPECT_THAT(given(refine(alone)), all_close(all.slice(0, i, i + 1), kFloatNoise, kFloatNoise));
  }
}

TEST_P(RefinerContract, GivesTheSameTwiceAndLeavesEverythingElseAlone) {
  const RefineRequest asked = requests(1, 21, 31).back();
  const InputGuard guard({{"images", asked.images_nhwc}, {"maps", asked.maps.scores_nphw}}, true);
  const at::Tensor before = global_generator_state();
  const RefineResult first = refine(asked), second = refine(asked);
  guard.verify(GetParam().name);
  EXPECT_TRUE(at::equal(before, global_generator_state()));
  if (first.maps.scores_nphw.defined()) {
    EXPECT_THAT(second.maps.scores_nphw, equals_tensor(first.maps.scores_nphw));
  } else {
    EXPECT_THAT(second.labels.labels_nhw, equals_tensor(first.labels.labels_nhw));
  }
}

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(RefinerContract);
INSTANTIATE_TEST_SUITE_P(Methods, RefinerContract, ::testing::ValuesIn(variants_under_test(MethodKind::refiner)),
                         name_of_variant);

}  // namespace
}  // namespace seedbed::testing
