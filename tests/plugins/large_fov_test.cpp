#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include "contract/given_features.hpp"
#include "contract/methods_under_test.hpp"
#include "seedbed/segmentation_head.hpp"
#include "support/tensor_matchers.hpp"

namespace seedbed::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

class LargeFovTest : public ::testing::Test {
 protected:
  std::shared_ptr<SegmentationHead> head(const ParameterValues& parameters) {
    ModelContext context = contract_context(run_, 2, false);
    context.backbone = std::make_shared<GivenFeatures>(4);
    context.output_channels = 3;
    return make<SegmentationHead>(MethodKind::segmentation_head, "large_fov", context, parameters);
  }
  FakeRun run_;
};

TEST_F(LargeFovTest, KeepsTheSizeOfItsTap) {
  for (const std::int64_t kernel : {1, 3}) {
    const auto made = head({{"width", std::int64_t{8}}, {"second_kernel", kernel}});
    EXPECT_THAT(made->forward({{{"final", at::randn({2, 4, 7, 5}, testing::generator())}}, 56, 40, &run_}).logits_nkhw,
                has_shape({2, 3, 7, 5}));
    EXPECT_EQ(made->state().at("conv7.weight").size(2), kernel);
  }
  EXPECT_THAT([&] { head({{"second_kernel", std::int64_t{2}}}); }, ThrowsMessage<UserError>(HasSubstr("`2`")));
}

TEST_F(LargeFovTest, DropsInTrainingAlone) {
  const auto made = head({{"width", std::int64_t{8}}});
  const HeadRequest request{{{"final", at::ones({1, 4, 3, 3})}}, 24, 24, &run_};
  const at::Tensor first = made->forward(request).logits_nkhw;
  EXPECT_THAT(made->forward(request).logits_nkhw, equals_tensor(first));
  made->train(true);
  EXPECT_FALSE(at::equal(made->forward(request).logits_nkhw, first));
}

}  // namespace
}  // namespace seedbed::testing
