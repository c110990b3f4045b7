#include <cmath>

#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include "contract/given_taps.hpp"
#include "contract/methods_under_test.hpp"
#include "object_context.hpp"
#include "seedbed/segmentation_head.hpp"
#include "support/tensor_matchers.hpp"

namespace seedbed::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Property;
using ::testing::Throws;

TEST(GatherRegions, AveragesTheCellsThatAClassClaims) {
  // Class 0 claims the first two of four cells, class 1 the last one.
  const at::Tensor features = at::tensor({1.0F, 3.0F, 5.0F, 7.0F, 2.0F, 4.0F, 6.0F, 8.0F}).view({1, 2, 2, 2});
  const at::Tensor logits =
      at::tensor({50.0F, 50.0F, -50.0F, -50.0F, -50.0F, -50.0F, -50.0F, 50.0F}).view({1, 2, 2, 2});
  const at::Tensor regions = ocr::gather_regions(logits, features, ocr::GatherAxis::spatial);
  EXPECT_THAT(regions.squeeze(3).squeeze(0), all_close(at::tensor({2.0F, 7.0F, 3.0F, 8.0F}).view({2, 2}), 1e-5, 0));
}

TEST(GatherRegions, AddsUpWhereCellsChooseTheirClass) {
  const at::Tensor features = at::tensor({1.0F, 3.0F, 5.0F, 7.0F}).view({1, 1, 2, 2});
  const at::Tensor logits = at::tensor({50.0F, 50.0F, -50.0F, 0.0F, -50.0F, -50.0F, 50.0F, 0.0F}).view({1, 2, 2, 2});
  // The fourth cell goes by halves to both.
  const at::Tensor regions = ocr::gather_regions(logits, features, ocr::GatherAxis::classes);
  EXPECT_THAT(regions.flatten(), all_close(at::tensor({7.5F, 8.5F}), 1e-5, 0));
}

class OcrTest : public ::testing::Test {
 protected:
  OcrTest() : context_(contract_context(run_, 2, false)) {
    context_.backbone = std::make_shared<GivenTaps>(std::vector<TapInfo>{
        {"stage4", {}, 4, 16.0, false}, {"tokens", {}, 6, 0.0, true}, {"final", {}, 6, 16.0, false}});
    context_.output_channels = 3;
  }

  std::shared_ptr<SegmentationHead> head(ParameterValues parameters = {}) {
    parameters["width"] = std::int64_t{7};
    parameters["key_width"] = std::int64_t{5};
    return make<SegmentationHead>(MethodKind::segmentation_head, "ocr", context_, parameters);
  }

  FakeRun run_;
  ModelContext context_;
};

/// A convolution with its norm and ReLU, out of a head's state.
at::Tensor layer(const NamedTensors& state, const std::string& name, const at::Tensor& input) {
  const at::Tensor& weight = state.at(name + ".conv.weight");
  const at::Tensor output = at::conv2d(input, weight, {}, 1, weight.size(2) / 2);
  return at::batch_norm(output, state.at(name + ".bn.weight"), state.at(name + ".bn.bias"),
                        state.at(name + ".bn.running_mean"), state.at(name + ".bn.running_var"), false, 0.1, 1e-5,
                        false)
      .relu();
}

TEST_F(OcrTest, ComputesThePapersEquations) {
  for (const std::string axis : {"spatial", "class"}) {
    const auto made = head({{"gather_axis", axis}});
    const NamedTensors state = made->state();
    for (const auto& [name, tensor] : state) {
      if (name.ends_with("running_mean")) tensor.uniform_(-0.3, 0.3, testing::generator());
    }
    const HeadRequest asked{{{"stage4", at::randn({1, 4, 6, 8}, testing::generator())},
                             {"final", at::randn({1, 6, 6, 8}, testing::generator())}},
                            96,
                            128,
                            &run_};
    const HeadResult result = made->forward(asked);
    ASSERT_EQ(result.auxiliary_logits.size(), 1U);

    // Cell by cell, class by class.
    const at::Tensor features = layer(state, "features", asked.taps.at("final"));
    const at::Tensor weights = result.auxiliary_logits.front().flatten(2).softmax(axis == "spatial" ? 2 : 1);
    const at::Tensor cells = features.flatten(2);
    std::vector<at::Tensor> descriptors;
    for (std::int64_t k = 0; k < 3; ++k) {
      at::Tensor descriptor = at::zeros({7});
      for (std::int64_t i = 0; i < 48; ++i) {
        descriptor = descriptor + weights[0][k][i] * cells[0].select(1, i);
      }
      descriptors.push_back(descriptor);
    }
    const at::Tensor regions = at::stack(descriptors, 1).view({1, 7, 3, 1});
    const at::Tensor query = layer(state, "context.query.1", layer(state, "context.query.0", features)).flatten(2)[0];
    const at::Tensor key = layer(state, "context.key.1", layer(state, "context.key.0", regions)).flatten(2)[0];
    const at::Tensor value = layer(state, "context.value", regions).flatten(2)[0];
    std::vector<at::Tensor> contexts;
    for (std::int64_t i = 0; i < 48; ++i) {
      const at::Tensor attention = (query.select(1, i).unsqueeze(1) * key).sum(0).div(std::sqrt(5.0)).softmax(0);
      contexts.push_back((value * attention).sum(1));
    }
    const at::Tensor context = layer(state, "context.up", at::stack(contexts, 1).view({1, 5, 6, 8}));
    const at::Tensor hidden = layer(state, "fuse", at::cat({context, features}, 1));
    EXPECT_THAT(result.logits_nkhw,
                all_close(at::conv2d(hidden, state.at("classifier.weight"), state.at("classifier.bias")), 1e-5, 1e-4));
  }
}

TEST_F(OcrTest, GathersAtItsFeaturesResolution) {
  const auto made = head();
  EXPECT_THAT(made->wanted_taps(), ElementsAre("stage4", "final"));
  const HeadRequest asked{{{"stage4", at::randn({2, 4, 12, 16}, testing::generator())},
                           {"final", at::randn({2, 6, 6, 8}, testing::generator())}},
                          96,
                          128,
                          &run_};
  const HeadResult result = made->forward(asked);
  EXPECT_THAT(result.logits_nkhw, has_shape({2, 3, 6, 8}));
  EXPECT_THAT(result.auxiliary_logits.front(), has_shape({2, 3, 12, 16}));
}

TEST_F(OcrTest, RefusesTapsThatAreNoMaps) {
  EXPECT_THAT([&] { head({{"tap", std::string("tokens")}}); }, Throws<UserError>(Property(&UserError::where, "tap")));
  EXPECT_THAT(
      [&] {
        head({{"auxiliary_tap", std::string("stage3")}});
      },
      Throws<UserError>(Property(&UserError::hint, HasSubstr("nearest: `stage4`"))));
}

}  // namespace
}  // namespace seedbed::testing
