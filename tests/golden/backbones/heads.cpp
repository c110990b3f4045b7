#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>

#include "backbone_golden.hpp"
#include "contract/given_features.hpp"
#include "contract/methods_under_test.hpp"
#include "seedbed/segmentation_head.hpp"

namespace seedbed::testing {
namespace {

NamedTensors large_fov(const BackboneGolden& golden) {
  const NamedTensors weights = golden.weights();
  FakeRun run;
  ModelContext context = contract_context(run, 1, false);
  context.backbone = std::make_shared<GivenFeatures>(golden.integer("in_channels"));
  context.output_channels = weights.at("conv8.weight").size(0);
  const auto head = make<SegmentationHead>(MethodKind::segmentation_head, "large_fov", context,
                                           {{"width", weights.at("conv6.weight").size(0)},
                                            {"dilation", golden.integer("dilation")},
                                            {"second_kernel", weights.at("conv7.weight").size(2)},
                                            {"bias", golden.flag("bias", true)}});
  EXPECT_TRUE(head->load_state(weights).complete());
  const c10::NoGradGuard no_grad;
  return {{"logits", head->forward({{{"final", golden.input("x")}}, 160, 224, &run}).logits_nkhw}};
}

}  // namespace

std::vector<BackboneGoldenRunner> head_runners() { return {{"head", "large_fov", large_fov}}; }

}  // namespace seedbed::testing
