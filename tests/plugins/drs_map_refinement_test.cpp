#include <memory>
#include <string>
#include <vector>

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

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

class DrsMapRefinementTest : public ::testing::Test {
 protected:
  std::shared_ptr<Refiner> refinement(ParameterValues parameters = {}) {
    parameters.try_emplace("extra_width", std::int64_t{16});
    parameters.try_emplace("sides_px", std::vector<std::int64_t>{32, 48});
    return make<Refiner>(MethodKind::refiner, "drs_map_refinement", contract_context(run_), parameters);
  }

  RefineRequest request(std::int64_t n = 1) {
    RefineRequest request;
    request.images_nhwc = contract_images_raw(n, 33, 47);
    request.maps.planes = {1, 3};
    request.maps.scores_nphw = contract_images(n, 5, 6).slice(1, 0, 2).relu();
    request.maps.covered.assign(static_cast<std::size_t>(n), {0, 0, 33, 47});
    request.present_nc = at::tensor({1, 0, 1}, at::kInt).to(at::kBool).expand({n, 3});
    request.image_ids.assign(static_cast<std::size_t>(n), "image");
    request.run = &run_;
    return request;
  }

  RefineResult refine(Refiner& refiner, const RefineRequest& asked) {
    const c10::NoGradGuard no_grad;
    return refiner.refine(asked);
  }

  // Class 1 on the left, class 2 on the right, as the images show.
  StepRequest step() {
    ViewBatch batch;
    batch.images_nchw = at::zeros({2, 3, 32, 32});
    batch.companions["maps"] = at::zeros({2, 3, 32, 32});
    batch.images_nchw.select(1, 0).slice(2, 0, 16) += 2.0;
    batch.images_nchw.select(1, 1).slice(2, 16, 32) += 2.0;
    batch.companions["maps"].select(1, 0).slice(2, 0, 16) += 0.8;
    batch.companions["maps"].select(1, 1).slice(2, 16, 32) += 0.6;
    StepRequest request;
    request.streams["main"]["main"] = batch;
    request.run = &run_;
    return request;
  }

  FakeRun run_;
};

TEST_F(DrsMapRefinementTest, GivesThePlanesItGotAtTheImagesSize) {
  const auto refiner = refinement();
  const RefineRequest asked = request(2);
  const RefineResult result = refine(*refiner, asked);
  check_refine_result(result, asked, method_under_test(MethodKind::refiner, "drs_map_refinement").manifest);
  EXPECT_EQ(result.maps.planes, asked.maps.planes);
  EXPECT_THAT(result.maps.scores_nphw, has_shape({2, 2, 33, 47}));
  EXPECT_GE(result.maps.scores_nphw.min().item<double>(), 0.0);
}

TEST_F(DrsMapRefinementTest, TakesTheHighestOverItsSizes) {
  const auto both = refinement();
  const at::Tensor all = refine(*both, request()).maps.scores_nphw;
  at::Tensor highest = at::zeros_like(all);
  for (const std::int64_t side : {32, 48}) {
    const auto one = refinement({{"sides_px", std::vector<std::int64_t>{side}}});
    one->load_state(both->state());
    highest = at::maximum(highest, refine(*one, request()).maps.scores_nphw);
  }
  EXPECT_THAT(all, all_close(highest, 1e-6));
}

TEST_F(DrsMapRefinementTest, IsZeroForClassesThatTheImageLabelRulesOut) {
  RefineRequest asked = request();
  asked.present_nc = at::tensor({1, 0, 0}, at::kInt).to(at::kBool).view({1, 3});
  const auto refiner = refinement();
  refiner->load_state({{"layers.classifier.bias", at::ones({3})}});
  const at::Tensor maps = refine(*refiner, asked).maps.scores_nphw;
  EXPECT_GT(maps[0][0].max().item<double>(), 0.0);
  EXPECT_EQ(maps[0][1].abs().max().item<double>(), 0.0);
  asked.present_nc.reset();
  EXPECT_GT(refine(*refiner, asked).maps.scores_nphw[0][1].max().item<double>(), 0.0);
}

TEST_F(DrsMapRefinementTest, RefinesEachImageByItself) {
  const auto refiner = refinement();
  const at::Tensor together = refine(*refiner, request(3)).maps.scores_nphw;
  for (std::int64_t i = 0; i < 3; ++i) {
    RefineRequest alone = request();
    alone.images_nhwc = request(3).images_nhwc.slice(0, i, i + 1);
    EXPECT_THAT(refine(*refiner, alone).maps.scores_nphw, all_close(together.slice(0, i, i + 1), 1e-5, 1e-4));
  }
}

TEST_F(DrsMapRefinementTest, LearnsTheMapsItIsShown) {
  const auto refiner = refinement({{"keep_highest", false}});
  Trainable& trainable = *refiner->trainable();
  expect_groups_partition(trainable);
  double first = 0, last = 0;
  for (int i = 0; i < 40; ++i) {
    const LossTerms terms = trainable.training_step(step());
    check_loss_terms(terms, "drs_map_refinement");
    last = terms.front().second.item<double>();
    if (i == 0) first = last;
    terms.front().second.backward();
    const c10::NoGradGuard no_grad;
    for (const ParameterGroup& group : trainable.parameter_groups()) {
      for (at::Tensor parameter : group.parameters) {
        parameter.sub_(parameter.grad(), 0.2);
        parameter.mutable_grad().reset();
      }
    }
  }
  EXPECT_LT(last, 0.5 * first);
}

TEST_F(DrsMapRefinementTest, KeepsEveryChannelThatAttainsTheMaximum) {
  // Two channels tie, one is below: with a prediction of 0 the loss is the mean of the squared target.
  const auto loss = [&](const ParameterValues& parameters) {
    const auto refiner = refinement(parameters);
    NamedTensors zero;
    for (const auto& [name, tensor] : refiner->state()) zero[name] = at::zeros_like(tensor);
    refiner->load_state(zero);
    StepRequest request = step();
    at::Tensor& maps = request.streams["main"]["main"].companions["maps"];
    maps.fill_(0.5);
    maps.select(1, 2).fill_(0.25);
    return refiner->trainable()->training_step(request).front().second.item<double>();
  };
  EXPECT_NEAR(loss({{"quantise", false}}), 0.5 / 3, 1e-6);
  EXPECT_NEAR(loss({{"quantise", false}, {"keep_highest", false}}), (0.5 + 0.0625) / 3, 1e-6);
  const double cut = 127.0 / 255;  // 127.5 of 255 is stored as 127
  EXPECT_NEAR(loss({}), 2 * cut * cut / 3, 1e-6);
}

TEST_F(DrsMapRefinementTest, NeedsABackbone) {
  ModelContext context = contract_context(run_, 3, false);
  EXPECT_THAT([&] { make<Refiner>(MethodKind::refiner, "drs_map_refinement", context); },
              ThrowsMessage<UserError>(HasSubstr("names none")));
}

}  // namespace
}  // namespace seedbed::testing
