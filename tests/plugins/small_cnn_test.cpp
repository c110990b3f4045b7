#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include "contract/methods_under_test.hpp"
#include "seedbed/backbone.hpp"

namespace seedbed::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

class SmallCnnTest : public ::testing::Test {
 protected:
  std::shared_ptr<Backbone> small_cnn(const ParameterValues& parameters) {
    return make<Backbone>(MethodKind::backbone, "small_cnn", contract_context(run_, 1, false), parameters);
  }
  FakeRun run_;
};

TEST_F(SmallCnnTest, HalvesAsOftenAsItsOutputStrideAsks) {
  for (const std::int64_t stride : {1, 2, 4, 8, 16, 32}) {
    const auto backbone = small_cnn({{"output_stride", stride}, {"width", std::int64_t{8}}});
    EXPECT_EQ(find_tap(*backbone, "final").stride_px, static_cast<double>(stride));
    ForwardRequest request;
    request.images_nchw = contract_images(1, 96, 65);
    const at::Tensor final_tap = backbone->forward(request).taps.at("final");
    EXPECT_EQ(final_tap.size(2), 96 / stride);
    EXPECT_EQ(final_tap.size(3), (65 + stride - 1) / stride);
  }
  EXPECT_THAT([&] { small_cnn({{"output_stride", std::int64_t{6}}}); }, ThrowsMessage<UserError>(HasSubstr("`6`")));
}

TEST_F(SmallCnnTest, GrowsInWidthAndDepth) {
  const auto backbone =
      small_cnn({{"width", std::int64_t{16}}, {"depth", std::int64_t{2}}, {"norm", std::string("batch")}});
  EXPECT_EQ(backbone->state().at("stage2.conv2.weight").sizes(), (std::vector<std::int64_t>{32, 32, 3, 3}));
  EXPECT_EQ(find_tap(*backbone, "stage5").channels, 64);
  EXPECT_FALSE(backbone->state().contains("stage1.conv1.bias"));
}

TEST_F(SmallCnnTest, UpdatesBatchStatisticsOnRequest) {
  const auto backbone = small_cnn({{"norm", std::string("batch")}, {"width", std::int64_t{8}}});
  ForwardRequest request;
  request.images_nchw = contract_images(2, 32, 32);
  request.batch_norm = BatchNormMode::batch;
  backbone->forward(request);
  EXPECT_EQ(backbone->state().at("stage1.norm1.num_batches_tracked").item<std::int64_t>(), 1);
  EXPECT_GT(backbone->state().at("stage1.norm1.running_mean").abs().sum().item<double>(), 0.0);
}

}  // namespace
}  // namespace seedbed::testing
