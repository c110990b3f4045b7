// Refiners that take labels, those with a collecting pass included.
#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <gmock/gmock.h>

#include "contract/kept_maps.hpp"
#include "contract/methods_under_test.hpp"
#include "seedbed/checks.hpp"
#include "seedbed/refiner.hpp"
#include "support/tensor_matchers.hpp"

namespace seedbed::testing {
namespace {

constexpr std::int64_t kNumClasses = 3;
constexpr std::string_view kLabelNeed = "labels:";

class LabelRefinerContract : public ::testing::TestWithParam<MethodVariant> {
 protected:
  void SetUp() override {
    if (manifest().takes.form != "labels") GTEST_SKIP() << "takes scores";
    if (GetParam().has("trains")) GTEST_SKIP() << "is trained first";
    SEEDBED_MAKE_OR_SKIP(made, make<Refiner>(GetParam(), contract_context(run_, kNumClasses)));
    refiner_ = made;
    if (GetParam().has("collects")) collect();
  }

  const MethodManifest& manifest() const { return GetParam().method->manifest; }
  std::int64_t largest_batch() const { return GetParam().has("batched") ? 3 : 1; }

  // Blobs of every class, with pixels that are in doubt on their borders.
  static at::Tensor labels(std::int64_t n, std::int64_t height, std::int64_t width) {
    const at::Tensor waves = contract_images(n, height, width).select(1, 0);
    at::Tensor labels = ((waves + 1) * 2).floor().clamp(0, kNumClasses).to(at::kByte);
    labels.masked_fill_(waves.abs().lt(0.02), kIgnoreLabel);
    return labels.masked_fill_((waves - 0.5).abs().lt(0.02), kUndecidedLabel);
  }

  RefineRequest request(std::int64_t n, std::int64_t height, std::int64_t width) {
    RefineRequest request;
    request.images_nhwc = contract_images_raw(n, height, width);
    request.labels.labels_nhw = labels(n, height, width);
    request.present_nc = at::ones({n, kNumClasses}, at::kBool);
    for (const std::string& name : manifest().supervision.side_inputs) {
      request.side_inputs[name] = contract_images(n, height, width).slice(1, 1, 2).gt(0).to(at::kFloat);
    }
    for (std::int64_t i = 0; i < n; ++i) request.image_ids.push_back("image" + std::to_string(i));
    request.run = &run_;
    return request;
  }

  ViewBatch training_image(std::int64_t i) {
    ViewBatch image;
    image.images_nchw = contract_images(i + 1, 33, 47).slice(0, i);
    image.images_raw_nhwc = contract_images_raw(i + 1, 33, 47).slice(0, i);
    image.present_nc = at::ones({1, kNumClasses}, at::kBool);
    image.image_ids = {"training" + std::to_string(i)};
    for (const std::string& need : manifest().needs) {
      if (!need.starts_with(kLabelNeed)) continue;
      image.companions[need.substr(kLabelNeed.size())] = labels(i + 1, 33, 47).slice(0, i).unsqueeze(1).to(at::kLong);
    }
    return image;
  }

  // What a fit does with a method that collects.
  void collect() {
    const c10::NoGradGuard no_grad;
    KeptServices services(run_, {training_image(0), training_image(1)});
    Trainable* const trainable = refiner_->trainable();
    ASSERT_NE(trainable, nullptr);
    StepRequest step;
    step.num_steps = step.num_epochs = 1;
    step.map_store = [&](std::string_view name) -> MapStore& { return services.map_store(name); };
    step.run = &run_;
    services.for_each_image([&](const ViewBatch& image) {
      step.streams["main"]["main"] = image;
      trainable->collect(step);
    });
    check_loss_terms(trainable->training_step(step), GetParam().name);
    trainable->finish(services);
  }

  RefineResult refine(const RefineRequest& asked) {
    const c10::NoGradGuard no_grad;
    run_.generator().set_current_seed(7);
    return refiner_->refine(asked);
  }

  FakeRun run_;
  std::shared_ptr<Refiner> refiner_;
};

TEST_P(LabelRefinerContract, GivesWhatItPromises) {
  for (const std::int64_t n : {std::int64_t{1}, largest_batch()}) {
    for (const auto& [height, width] : {std::pair{33, 47}, {32, 32}, {40, 35}}) {
      RefineRequest asked = request(n, height, width);
      check_refine_result(refine(asked), asked, manifest());
      asked.labels.confidence_nhw = at::full({n, height, width}, 0.5);
      check_refine_result(refine(asked), asked, manifest());
    }
  }
}

TEST_P(LabelRefinerContract, TakesImagesOfOneColourAndOfOneLabel) {
  for (const std::int64_t label : {kBackgroundLabel, std::int64_t{2}, kUndecidedLabel, kIgnoreLabel}) {
    RefineRequest asked = request(1, 33, 35);
    asked.images_nhwc.fill_(128);
    asked.labels.labels_nhw.fill_(label);
    check_refine_result(refine(asked), asked, manifest());
  }
}

TEST_P(LabelRefinerContract, RefinesEachImageByItself) {
  if (largest_batch() == 1 || GetParam().has("batch_coupled")) GTEST_SKIP() << "takes one image at a time";
  const RefineRequest together = request(3, 33, 47);
  const at::Tensor all = refine(together).labels.labels_nhw;
  for (std::int64_t i = 0; i < 3; ++i) {
    RefineRequest alone = request(1, 33, 47);
    alone.images_nhwc = together.images_nhwc.slice(0, i, i + 1);
    alone.labels.labels_nhw = together.labels.labels_nhw.slice(0, i, i + 1);
    for (auto& [name, side] : alone.side_inputs) side = together.side_inputs.at(name).slice(0, i, i + 1);
    EXPECT_THAT(refine(alone).labels.labels_nhw, equals_tensor(all.slice(0, i, i + 1)));
  }
}

TEST_P(LabelRefinerContract, GivesTheSameTwiceAndLeavesEverythingElseAlone) {
  const RefineRequest asked = request(1, 33, 47);
  const InputGuard guard({{"images", asked.images_nhwc}, {"labels", asked.labels.labels_nhw}}, true);
  const at::Tensor before = global_generator_state();
  const RefineResult first = refine(asked), second = refine(asked);
  guard.verify(GetParam().name);
  EXPECT_TRUE(at::equal(before, global_generator_state()));
  EXPECT_THAT(second.labels.labels_nhw, equals_tensor(first.labels.labels_nhw));
}

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(LabelRefinerContract);
INSTANTIATE_TEST_SUITE_P(Methods, LabelRefinerContract, ::testing::ValuesIn(variants_under_test(MethodKind::refiner)),
                         name_of_variant);

}  // namespace
}  // namespace seedbed::testing
