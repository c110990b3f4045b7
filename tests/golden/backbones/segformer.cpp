#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>

#include "backbone_golden.hpp"
#include "contract/methods_under_test.hpp"
#include "deeplab_names.hpp"
#include "seedbed/segmentation_head.hpp"

namespace seedbed::testing {
namespace {

/// AFA's network: MiT, SegFormer's decoder, a classifier behind the global maximum, and an affinity of the last stage's
/// attention. The last two are one layer each, applied here.
NamedTensors afa_wetr(const BackboneGolden& golden) {
  EXPECT_EQ(golden.text("pooling", ""), "gmp");
  const c10::NoGradGuard no_grad;
  FakeRun run;
  const NamedTensors weights = golden.weights();
  ModelContext context = contract_context(run, golden.integer("classes") - 1, false);
  context.output_channels = golden.integer("classes");
  context.backbone = make<Backbone>(MethodKind::backbone, golden.text("backbone", ""), context,
                                    {{"strides", golden.integers("strides")}});
  EXPECT_TRUE(context.backbone->load_weights(starting_with(weights, "encoder.")).complete());
  const NamedTensors decoder = below(weights, "decoder.");
  const auto head = make<SegmentationHead>(MethodKind::segmentation_head, "segformer_mlp", context,
                                           {{"width", decoder.at("linear_pred.weight").size(1)}});
  EXPECT_TRUE(head->load_state(decoder).complete());

  const at::Tensor images = golden.input("x");
  ForwardRequest request;
  request.images_nchw = images;
  request.run = &run;
  request.keep = head->wanted_taps();
  AttentionBlockPlan& plan = request.attention.blocks.emplace_back();
  plan.blocks = {-2, -1};
  plan.exports = {"unscaled"};
  const ForwardResult forward = context.backbone->forward(request);

  std::vector<at::Tensor> attention;
  for (const auto& [name, map] : forward.attention) attention.push_back(map);  // in order of the blocks
  const at::Tensor both = at::cat(attention, 1);
  const at::Tensor affinity =
      at::conv2d(both + both.transpose(2, 3), weights.at("attn_proj.weight"), weights.at("attn_proj.bias")).squeeze(1);
  const at::Tensor& features = forward.taps.at("final");
  const at::Tensor& classifier = weights.at("classifier.weight");
  return {{"seg_logits", head->forward({forward.taps, images.size(2), images.size(3), &run}).logits_nkhw},
          {"cam", at::conv2d(features, classifier)},
          {"cls_logits", at::conv2d(features.amax({2, 3}, true), classifier).flatten(1)},
          {"affinity_logits", affinity},
          {"affinity", affinity.sigmoid()}};
}

}  // namespace

std::vector<BackboneGoldenRunner> segformer_runners() { return {{"method", "afa_wetr", afa_wetr}}; }

}  // namespace seedbed::testing
