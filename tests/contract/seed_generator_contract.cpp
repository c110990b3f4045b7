#include <algorithm>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <gmock/gmock.h>

#include "contract/methods_under_test.hpp"
#include "seedbed/checks.hpp"
#include "seedbed/seed_generator.hpp"
#include "support/tensor_matchers.hpp"

namespace seedbed::testing {
namespace {

constexpr std::int64_t kNumClasses = 3;
constexpr double kFloatNoise = 1e-4;

class SeedGeneratorContract : public ::testing::TestWithParam<MethodVariant> {
 protected:
  void SetUp() override {
    for (const std::string& need : GetParam().method->manifest.needs) {
      if (!need.starts_with("taps:")) GTEST_SKIP() << "the suite has no backbone that gives `" << need << "`";
    }
    SEEDBED_MAKE_OR_SKIP(made, make_one(1));
    generator_ = made;
  }

  std::shared_ptr<SeedGenerator> make_one(std::uint64_t seed, std::int64_t num_classes = kNumClasses) {
    runs_.push_back(std::make_unique<FakeRun>());
    runs_.back()->generator().set_current_seed(seed);
    return make<SeedGenerator>(GetParam(), contract_context(*runs_.back(), num_classes));
  }

  SeedRequest request(std::int64_t n, std::int64_t height = 37, std::int64_t width = 53) {
    SeedRequest request;
    request.images_nchw = contract_images(n, height, width);
    request.images_raw_nhwc = contract_images_raw(n, height, width);
    request.present_nc = at::ones({n, kNumClasses}, at::kBool);
    for (std::int64_t i = 0; i < n; ++i) {
      View view;
      view.image_id = "image" + std::to_string(i);
      view.image_height_px = height;
      view.image_width_px = width;
      view.covered = {0, 0, static_cast<double>(height), static_cast<double>(width)};
      request.views.push_back(view);
    }
    request.logits_wanted = true;
    request.run = runs_.front().get();
    return request;
  }

  SeedResult generate(const SeedRequest& request) {
    const c10::NoGradGuard no_grad;
    runs_.front()->generator().set_current_seed(7);
    return generator_->generate(request);
  }

  StepRequest step(std::int64_t n = 4) {
    ViewBatch batch;
    batch.images_nchw = contract_images(n, 37, 53);
    batch.images_raw_nhwc = contract_images_raw(n, 37, 53);
    batch.present_nc = at::eye(n, at::kBool).slice(1, 0, kNumClasses);
    batch.valid.boxes_n4 = at::tensor({0, 0, 37, 53}, at::kLong).expand({n, 4});
    for (std::int64_t i = 0; i < n; ++i) batch.image_ids.push_back("image" + std::to_string(i));
    StepRequest request;
    request.streams["main"]["main"] = batch;
    request.num_steps = 10;
    request.num_epochs = 1;
    request.term_weight = [](std::string_view) { return 1.0; };
    request.run = runs_.front().get();
    return request;
  }

  // What the host does before the first step.
  void collect(Trainable& trainable) {
    const c10::NoGradGuard no_grad;
    if (GetParam().has("collects")) trainable.collect(step());
  }

  std::vector<std::unique_ptr<FakeRun>> runs_;
  std::shared_ptr<SeedGenerator> generator_;
};

TEST_P(SeedGeneratorContract, GivesWhatItPromises) {
  for (const std::int64_t n : {1, 3}) {
    for (const auto& [height, width] : {std::pair{37, 53}, {64, 33}}) {
      const SeedRequest asked = request(n, height, width);
      check_seed_result(generate(asked), asked, kNumClasses, GetParam().method->manifest);
    }
  }
}

// Insertion and deletion ask for scores of images whose labels nobody knows.
TEST_P(SeedGeneratorContract, GivesLogitsOfTheImageAloneWhereItProvidesThem) {
  const auto& provides = GetParam().method->manifest.provides;
  SeedRequest asked = request(2);
  const at::Tensor told = generate(asked).logits_nc;
  ASSERT_EQ(told.defined(), std::ranges::find(provides, "logits") != provides.end());
  if (!told.defined()) return;
  asked.present_nc = at::zeros_like(asked.present_nc);
  const SeedResult untold = generate(asked);
  check_seed_result(untold, asked, kNumClasses, GetParam().method->manifest);
  EXPECT_THAT(untold.logits_nc, equals_tensor(told));
}

TEST_P(SeedGeneratorContract, WorksForOneClass) {
  generator_ = make_one(1, 1);
  SeedRequest asked = request(1);
  asked.present_nc = at::ones({1, 1}, at::kBool);
  check_seed_result(generate(asked), asked, 1, GetParam().method->manifest);
}

TEST_P(SeedGeneratorContract, GivesTheSameTwice) {
  const SeedRequest asked = request(2);
  const SeedResult first = generate(asked), second = generate(asked);
  EXPECT_THAT(second.maps.scores_nphw, equals_tensor(first.maps.scores_nphw));
}

TEST_P(SeedGeneratorContract, ScoresEachImageByItself) {
  if (GetParam().has("batch_coupled")) GTEST_SKIP() << "declares the trait `batch_coupled`";
  const SeedRequest together = request(3);
  const at::Tensor maps = generate(together).maps.scores_nphw;
  for (std::int64_t i = 0; i < 3; ++i) {
    SeedRequest alone = request(1);
    alone.images_nchw = together.images_nchw.slice(0, i, i + 1);
    alone.images_raw_nhwc = together.images_raw_nhwc.slice(0, i, i + 1);
    EXPECT_THAT(generate(alone).maps.scores_nphw, all_close(maps.slice(0, i, i + 1), kFloatNoise, kFloatNoise));
  }
}

TEST_P(SeedGeneratorContract, LeavesInputAndGlobalStateAlone) {
  const SeedRequest asked = request(2);
  const InputGuard guard({{"images", asked.images_nchw}, {"raw", asked.images_raw_nhwc}, {"present", asked.present_nc}},
                         true);
  const at::Tensor before = global_generator_state();
  generate(asked);
  guard.verify(GetParam().name);
  EXPECT_TRUE(at::equal(before, global_generator_state()));
  EXPECT_TRUE(c10::GradMode::is_enabled());
}

TEST_P(SeedGeneratorContract, HasATrainableWhereItSaysSo) {
  EXPECT_EQ(generator_->trainable() != nullptr, GetParam().has("trains"));
}

TEST_P(SeedGeneratorContract, TrainsEveryParameterOnce) {
  Trainable* trainable = generator_->trainable();
  if (!trainable) GTEST_SKIP() << "needs no training";
  expect_groups_partition(*trainable);
  collect(*trainable);
  trainable->trained_module().train(true);
  const StepRequest asked = step();
  const ViewBatch& batch = asked.main();
  const InputGuard guard({{"images", batch.images_nchw}, {"present", batch.present_nc}}, true);
  const LossTerms terms = trainable->training_step(asked);
  check_loss_terms(terms, GetParam().name);
  guard.verify(GetParam().name);
  at::Tensor sum;
  for (const auto& [name, value] : terms) sum = sum.defined() ? sum + value : value;
  sum.backward();
  expect_finite_gradients(trainable->trained_module());
}

TEST_P(SeedGeneratorContract, TrainsAlikeFromEqualGenerators) {
  if (!generator_->trainable()) GTEST_SKIP() << "needs no training";
  const at::Tensor before = global_generator_state();
  std::vector<at::Tensor> values;
  for (const auto& made : {generator_, make_one(1)}) {
    Trainable& trainable = *made->trainable();
    collect(trainable);
    trainable.trained_module().train(true);
    runs_.front()->generator().set_current_seed(3);
    values.push_back(trainable.training_step(step()).front().second.detach());
  }
  EXPECT_THAT(values[1], equals_tensor(values[0]));
  EXPECT_TRUE(at::equal(before, global_generator_state()));
}

TEST_P(SeedGeneratorContract, LoadsWhatItSaved) {
  if (Trainable* trainable = generator_->trainable()) collect(*trainable);
  const auto other = make_one(2);
  const SeedRequest asked = request(2);
  const SeedResult wanted = generate(asked);
  EXPECT_TRUE(other->load_state(generator_->state()).complete());
  generator_ = other;
  EXPECT_THAT(generate(asked).maps.scores_nphw, equals_tensor(wanted.maps.scores_nphw));
}

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(SeedGeneratorContract);
INSTANTIATE_TEST_SUITE_P(Methods, SeedGeneratorContract,
                         ::testing::ValuesIn(variants_under_test(MethodKind::seed_generator)), name_of_variant);

}  // namespace
}  // namespace seedbed::testing
