#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include "contract/given_taps.hpp"
#include "contract/methods_under_test.hpp"
#include "seedbed/segmentation_head.hpp"
#include "support/tensor_matchers.hpp"

namespace seedbed::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Property;
using ::testing::Throws;

class SegformerMlpTest : public ::testing::Test {
 protected:
  SegformerMlpTest() : context_(contract_context(run_, 2, false)) {
    context_.backbone = std::make_shared<GivenTaps>(std::vector<TapInfo>{{"stage1", {}, 4, 4.0, false},
                                                                         {"stage2", {}, 6, 8.0, false},
                                                                         {"block.0", {}, 6, 0.0, true},
                                                                         {"final", {}, 8, 16.0, false}});
    context_.output_channels = 3;
  }

  std::shared_ptr<SegmentationHead> head(const std::vector<std::string>& taps) {
    return make<SegmentationHead>(MethodKind::segmentation_head, "segformer_mlp", context_,
                                  {{"taps", taps}, {"width", std::int64_t{5}}});
  }

  FakeRun run_;
  ModelContext context_;
};

TEST_F(SegformerMlpTest, MergesWhatIsProjectedAndResized) {
  const auto made = head({"stage1", "stage2", "final"});
  const NamedTensors state = made->state();
  state.at("linear_fuse.bn.running_mean").uniform_(-1, 1, testing::generator());
  const HeadRequest asked{{{"stage1", at::randn({2, 4, 12, 16}, testing::generator())},
                           {"stage2", at::randn({2, 6, 6, 8}, testing::generator())},
                           {"final", at::randn({2, 8, 3, 4}, testing::generator())}},
                          48,
                          64,
                          &run_};
  // In the paper's order: project, resize, stack (last stage first), merge.
  std::vector<at::Tensor> resized;
  for (const auto& [tap, layer] : {std::pair{"final", "linear_c3.proj."}, std::pair{"stage2", "linear_c2.proj."},
                                   std::pair{"stage1", "linear_c1.proj."}}) {
    const std::string name = layer;
    const at::Tensor cells = asked.taps.at(tap).permute({0, 2, 3, 1});
    const at::Tensor projected =
        at::linear(cells, state.at(name + "weight"), state.at(name + "bias")).permute({0, 3, 1, 2});
    resized.push_back(at::upsample_bilinear2d(projected.contiguous(), {12, 16}, false));
  }
  const at::Tensor merged = at::conv2d(at::cat(resized, 1), state.at("linear_fuse.conv.weight"));
  const at::Tensor normed = at::batch_norm(merged, state.at("linear_fuse.bn.weight"), state.at("linear_fuse.bn.bias"),
                                           state.at("linear_fuse.bn.running_mean"),
                                           state.at("linear_fuse.bn.running_var"), false, 0.1, 1e-5, false);
  const at::Tensor wanted = at::conv2d(normed.relu(), state.at("linear_pred.weight"), state.at("linear_pred.bias"));
  EXPECT_THAT(made->forward(asked).logits_nkhw, all_close(wanted, 1e-5, 1e-5));
}

TEST_F(SegformerMlpTest, RefusesTapsThatItCannotMerge) {
  EXPECT_THAT(
      [&] {
        head({"stage1", "stage1"});
      },
      Throws<UserError>(
          AllOf(Property(&UserError::where, "taps"), Property(&UserError::message, HasSubstr("`stage1`")))));
  EXPECT_THAT(
      [&] {
        head({"stage1", "stage3"});
      },
      Throws<UserError>(
          AllOf(Property(&UserError::where, "taps"), Property(&UserError::hint, HasSubstr("nearest: `stage")))));
  EXPECT_THAT([&] { head({"block.0"}); }, Throws<UserError>(Property(&UserError::message, HasSubstr("sequence"))));
}

}  // namespace
}  // namespace seedbed::testing
