// Variant `deeplab_pytorch` of the ResNets; numbers are compared by the goldens of backbones.
#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <gmock/gmock.h>

#include "contract/methods_under_test.hpp"
#include "support/tensor_matchers.hpp"

namespace seedbed::testing {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Property;
using ::testing::Throws;

class DeepLabResNetTest : public ::testing::Test {
 protected:
  std::shared_ptr<Backbone> resnet(ParameterValues parameters = {}) {
    parameters["variant"] = std::string("deeplab_pytorch");
    return make<Backbone>(MethodKind::backbone, "resnet50", contract_context(run_, 1, false), parameters);
  }

  // Height and width of a tap.
  std::vector<std::int64_t> cells(Backbone& backbone, const std::string& tap, std::int64_t side) {
    ForwardRequest request;
    request.images_nchw = contract_images(1, side, side);
    request.keep = {tap};
    request.run = &run_;
    const c10::NoGradGuard no_grad;
    return backbone.forward(request).taps.at(tap).sizes().slice(2).vec();
  }

  FakeRun run_;
};

TEST_F(DeepLabResNetTest, PoolsItsStemInCeilMode) {
  const auto backbone = resnet();
  EXPECT_THAT(cells(*backbone, "stem", 67), ElementsAre(18, 18));  // 34 behind the convolution; floor mode gives 17
  EXPECT_THAT(cells(*backbone, "stage1", 321), ElementsAre(81, 81));
}

TEST_F(DeepLabResNetTest, KeepsTheOutputStrideThatIsAskedFor) {
  for (const auto& [stride, side] : {std::pair<std::int64_t, std::int64_t>{32, 3}, {16, 5}, {8, 9}}) {
    EXPECT_THAT(cells(*resnet({{"output_stride", stride}}), "final", 65), ElementsAre(side, side)) << stride;
  }
  EXPECT_THAT(
      [&] {
        resnet({{"output_stride", std::int64_t{24}}});
      },
      Throws<UserError>(Property(&UserError::where, "output_stride")));
}

TEST_F(DeepLabResNetTest, DilatesByItsGrid) {
  const auto plain = resnet({{"output_stride", std::int64_t{16}}});
  const auto grid = resnet({{"output_stride", std::int64_t{16}}, {"multi_grid", std::vector<std::int64_t>{1, 2, 4}}});
  EXPECT_TRUE(grid->load_state(plain->state()).complete());
  ForwardRequest request;
  request.images_nchw = contract_images(1, 65, 65);
  request.keep = {"layer5.block1", "layer5.block2"};
  request.run = &run_;
  const c10::NoGradGuard no_grad;
  const NamedTensors without = plain->forward(request).taps, with = grid->forward(request).taps;
  EXPECT_THAT(with.at("layer5.block1"), equals_tensor(without.at("layer5.block1")));
  EXPECT_FALSE(at::equal(with.at("layer5.block2"), without.at("layer5.block2")));
  EXPECT_THAT(
      [&] {
        resnet({{"multi_grid", std::vector<std::int64_t>{}}});
      },
      Throws<UserError>(Property(&UserError::where, "multi_grid")));
}

TEST_F(DeepLabResNetTest, ReadsTheAuthorsNamesAndLeavesTheHead) {
  const auto backbone = resnet();
  NamedTensors file = backbone->state();
  EXPECT_TRUE(file.contains("layer1.conv1.conv.weight"));
  EXPECT_TRUE(file.contains("layer5.block3.increase.bn.running_var"));
  file["aspp.c0.weight"] = at::ones({21, 2048, 3, 3});
  const StateReport report = resnet()->load_weights(file);
  EXPECT_TRUE(report.missing.empty());
  EXPECT_THAT(report.extra, ElementsAre("aspp.c0.weight"));
  NamedTensors wrapped;
  for (const auto& [name, tensor] : backbone->state()) wrapped["base." + name] = tensor;
  EXPECT_TRUE(resnet()->load_weights(wrapped).complete());
}

TEST_F(DeepLabResNetTest, TakesCaffesColours) {
  const Normalisation normalisation = resnet()->normalisation();
  EXPECT_TRUE(normalisation.bgr);
  EXPECT_EQ(normalisation.scale, 1.0);
  EXPECT_THAT(normalisation.mean, ElementsAre(104.008, 116.669, 122.675));
}

TEST_F(DeepLabResNetTest, FreezesStages) {
  const auto backbone = resnet({{"frozen_stages", std::int64_t{2}}});
  std::set<std::string> trained;
  for (const auto& [name, parameter] : backbone->named_parameters()) {
    if (parameter.requires_grad()) trained.insert(name.substr(0, 6));
  }
  EXPECT_THAT(trained, ElementsAre("layer3", "layer4", "layer5"));
}

}  // namespace
}  // namespace seedbed::testing
