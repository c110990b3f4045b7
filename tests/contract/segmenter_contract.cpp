// Segmentation heads and training strategies.
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <gmock/gmock.h>

#include "contract/kept_maps.hpp"
#include "contract/methods_under_test.hpp"
#include "seedbed/checks.hpp"
#include "seedbed/loss.hpp"
#include "seedbed/segmentation_head.hpp"
#include "seedbed/training_strategy.hpp"
#include "support/tensor_matchers.hpp"

namespace seedbed::testing {
namespace {

constexpr std::int64_t kNumLabels = 4;
constexpr double kFloatNoise = 1e-4;

class HeadContract : public ::testing::TestWithParam<MethodVariant> {
 protected:
  void SetUp() override {
    SEEDBED_MAKE_OR_SKIP(made, make_one(1));
    head_ = made;
  }

  std::shared_ptr<SegmentationHead> make_one(std::uint64_t seed) {
    context_ = contract_context(run_, kNumLabels - 1);
    context_.output_channels = kNumLabels;
    run_.generator().set_current_seed(seed);
    return make<SegmentationHead>(GetParam(), context_);
  }

  HeadRequest request(std::int64_t n = 1) {
    ForwardRequest forward;
    forward.images_nchw = contract_images(n, 45, 67);
    forward.keep = head_->wanted_taps();
    forward.run = &run_;
    const c10::NoGradGuard no_grad;
    return {context_.backbone->forward(forward).taps, 45, 67, &run_};
  }

  at::Tensor logits(const HeadRequest& asked) {
    run_.generator().set_current_seed(7);
    return head_->forward(asked).logits_nkhw;
  }

  FakeRun run_;
  ModelContext context_;
  std::shared_ptr<SegmentationHead> head_;
};

TEST_P(HeadContract, GivesWhatItPromises) {
  for (const std::int64_t n : {1, 3}) {
    const HeadRequest asked = request(n);
    check_head_result(head_->forward(asked), asked, kNumLabels, GetParam().name);
  }
}

TEST_P(HeadContract, TreatsEachImageOfABatchAlike) {
  const HeadRequest together = request(3);
  const at::Tensor all = logits(together);
  for (std::int64_t i = 0; i < 3; ++i) {
    HeadRequest alone = together;
    for (auto& [name, tap] : alone.taps) tap = tap.slice(0, i, i + 1);
    EXPECT_THAT(logits(alone), all_close(all.slice(0, i, i + 1), kFloatNoise, kFloatNoise));
  }
}

TEST_P(HeadContract, DrawsFromItsGeneratorAloneAndLeavesItsInput) {
  const HeadRequest asked = request(2);
  head_->train(true);
  std::vector<std::pair<std::string, at::Tensor>> taps(asked.taps.begin(), asked.taps.end());
  const InputGuard guard(taps, true);
  const at::Tensor before = global_generator_state();
  const at::Tensor first = logits(asked);
  EXPECT_THAT(logits(asked), equals_tensor(first));
  guard.verify(GetParam().name);
  EXPECT_TRUE(at::equal(before, global_generator_state()));
}

TEST_P(HeadContract, GivesTheSameWithAndWithoutAGraph) {
  const HeadRequest asked = request(2);
  const at::Tensor with_graph = logits(asked);
  const c10::NoGradGuard no_grad;
  EXPECT_THAT(logits(asked), all_close(with_graph, kFloatNoise, kFloatNoise));
}

TEST_P(HeadContract, HasFiniteGradients) {
  head_->train(true);
  const HeadResult result = head_->forward(request(2));
  at::Tensor sum = result.logits_nkhw.square().mean();
  for (const at::Tensor& auxiliary : result.auxiliary_logits) sum = sum + auxiliary.square().mean();
  sum.backward();
  for (const auto& [name, parameter] : head_->named_parameters()) {
    ASSERT_TRUE(parameter.grad().defined()) << name;
    EXPECT_TRUE(parameter.grad().isfinite().all().item<bool>()) << name;
  }
}

TEST_P(HeadContract, LoadsWhatItSaved) {
  const HeadRequest asked = request();
  const at::Tensor wanted = logits(asked);
  const auto other = make_one(2);
  EXPECT_TRUE(other->load_state(head_->state()).complete());
  head_ = other;
  EXPECT_THAT(logits(asked), equals_tensor(wanted));
}

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(HeadContract);
INSTANTIATE_TEST_SUITE_P(Methods, HeadContract, ::testing::ValuesIn(variants_under_test(MethodKind::segmentation_head)),
                         name_of_variant);

class StrategyContract : public ::testing::TestWithParam<MethodVariant> {
 protected:
  void SetUp() override {
    SEEDBED_MAKE_OR_SKIP(made, make_one(1));
    strategy_ = made;
    teacher_ = make_one(3);
  }

  std::shared_ptr<TrainingStrategy> make_one(std::uint64_t seed) {
    ModelContext context = contract_context(run_, kNumLabels - 1);
    run_.generator().set_current_seed(seed);
    context.output_channels = kNumLabels;
    context.head = make<SegmentationHead>(MethodKind::segmentation_head, "linear", context);
    context.losses = {{"main", 0.5, make<Loss>(MethodKind::loss, "cross_entropy", context)},
                      {"second", 2.0, make<Loss>(MethodKind::loss, "cross_entropy", context)}};
    return make<TrainingStrategy>(GetParam(), context);
  }

  static ViewBatch images(std::vector<std::string> ids) {
    const auto n = static_cast<std::int64_t>(ids.size());
    ViewBatch batch;
    batch.images_nchw = contract_images(n, 45, 67);
    batch.images_raw_nhwc = contract_images_raw(n, 45, 67);
    batch.target_nhw = at::arange(n * 45 * 67, at::kLong).view({n, 45, 67}).remainder(kNumLabels);
    batch.present_nc = at::ones({n, kNumLabels - 1}, at::kBool);
    batch.companions["maps"] = contract_images(n, 45, 67).abs();
    batch.to_image_n23 = at::eye(3, at::kDouble).slice(0, 0, 2).expand({n, 2, 3});
    batch.image_ids = std::move(ids);
    return batch;
  }

  StepRequest step() {
    ViewBatch batch = images({"a", "b"});
    const std::vector<std::string>& needs = GetParam().method->manifest.needs;
    if (std::ranges::find(needs, "undecided") != needs.end()) batch.target_nhw.slice(1, 0, 7).fill_(kUndecidedLabel);
    StepRequest request;
    request.streams["main"]["main"] = batch;
    request.num_steps = 10;
    request.num_epochs = 1;
    request.teacher = teacher_.get();
    request.map_store = [this](std::string_view name) -> MapStore& { return services_.map_store(name); };
    request.term_weight = [](std::string_view) { return 1.0; };
    request.run = &run_;
    return request;
  }

  at::Tensor predict(std::int64_t n = 1) {
    const c10::NoGradGuard no_grad;
    return strategy_->predict(contract_images(n, 45, 67), run_);
  }

  FakeRun run_;
  std::shared_ptr<TrainingStrategy> strategy_;
  std::shared_ptr<TrainingStrategy> teacher_;
  KeptServices services_{run_, {images({"a"}), images({"b"})}};
};

TEST_P(StrategyContract, PredictsLogitsOfEveryLabel) {
  const at::Tensor all = predict(3);
  ASSERT_EQ(all.dim(), 4);
  EXPECT_EQ(all.size(0), 3);
  EXPECT_EQ(all.size(1), kNumLabels);
  EXPECT_TRUE(all.isfinite().all().item<bool>());
  EXPECT_EQ(all.scalar_type(), at::kFloat);
}

TEST_P(StrategyContract, TrainsEveryParameterOnce) {
  expect_groups_partition(*strategy_);
  strategy_->train(true);
  const StepRequest asked = step();
  const InputGuard guard({{"images", asked.main().images_nchw}, {"target", asked.main().target_nhw}}, true);
  const at::Tensor before = global_generator_state();
  const LossTerms terms = strategy_->training_step(asked);
  check_loss_terms(terms, GetParam().name);
  guard.verify(GetParam().name);
  EXPECT_TRUE(at::equal(before, global_generator_state()));
  at::Tensor sum;
  for (const auto& [name, value] : terms) sum = sum.defined() ? sum + value : value;
  sum.backward();
  expect_finite_gradients(*strategy_);
}

TEST_P(StrategyContract, LoadsWhatItSaved) {
  const at::Tensor wanted = predict();
  const auto other = make_one(2);
  EXPECT_TRUE(other->load_state(strategy_->trained_module().state()).complete());
  strategy_ = other;
  EXPECT_THAT(predict(), equals_tensor(wanted));
}

TEST_P(StrategyContract, GoesOnBehindTheEndOfAnEpoch) {
  const StepRequest asked = step();
  const at::Tensor before = global_generator_state();
  for (std::int64_t epoch = 0; epoch < 4; ++epoch) {
    strategy_->train(true);
    check_loss_terms(strategy_->training_step(asked), GetParam().name);
    const c10::NoGradGuard no_grad;
    strategy_->after_step(asked);
    strategy_->train(false);
    services_.set_epoch(epoch);
    strategy_->after_epoch(services_);
  }
  EXPECT_TRUE(at::equal(before, global_generator_state()));
}

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(StrategyContract);
INSTANTIATE_TEST_SUITE_P(Methods, StrategyContract,
                         ::testing::ValuesIn(variants_under_test(MethodKind::training_strategy)), name_of_variant);

}  // namespace
}  // namespace seedbed::testing
