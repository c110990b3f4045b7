#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>

#include "backbone_golden.hpp"
#include "contract/given_features.hpp"
#include "contract/methods_under_test.hpp"
#include "deeplab_names.hpp"
#include "deeplab_resnet.hpp"
#include "seedbed/kernels/resize.hpp"
#include "seedbed/loss.hpp"
#include "seedbed/segmentation_head.hpp"
#include "seedbed/training_strategy.hpp"

namespace seedbed::testing {
namespace {

/// A head by itself on the golden's input.
NamedTensors head_alone(const BackboneGolden& golden, const std::string& id, std::int64_t num_labels,
                        const ParameterValues& parameters) {
  FakeRun run;
  ModelContext context = contract_context(run, 1, false);
  context.backbone = std::make_shared<GivenFeatures>(golden.integer("in_channels"));
  context.output_channels = num_labels;
  const auto head = make<SegmentationHead>(MethodKind::segmentation_head, id, context, parameters);
  EXPECT_TRUE(head->load_state(golden.weights()).complete());
  const c10::NoGradGuard no_grad;
  const at::Tensor features = golden.input("x");
  return {{"logits", head->forward({{{"final", features}}, features.size(2), features.size(3), &run}).logits_nkhw}};
}

NamedTensors large_fov(const BackboneGolden& golden) {
  const NamedTensors weights = golden.weights();
  return head_alone(golden, "large_fov", weights.at("conv8.weight").size(0),
                    {{"width", weights.at("conv6.weight").size(0)},
                     {"dilation", golden.integer("dilation")},
                     {"second_kernel", weights.at("conv7.weight").size(2)},
                     {"bias", golden.flag("bias", true)}});
}

NamedTensors aspp(const BackboneGolden& golden) {
  return head_alone(golden, "aspp", golden.weights().at("c0.weight").size(0),
                    {{"atrous_rates", golden.integers("atrous_rates")}, {"bias", golden.flag("bias", true)}});
}

/// Backbone and head of a golden, and what they make of its input.
class Segmenter {
 public:
  Segmenter(const BackboneGolden& golden, std::shared_ptr<Backbone> backbone, const NamedTensors& weights)
      : golden_(golden), context_(contract_context(run_, golden.integer(class_key(golden)) - 1, false)) {
    EXPECT_TRUE(backbone->load_weights(weights).complete());
    context_.backbone = std::move(backbone);
    context_.output_channels = golden.integer(class_key(golden));
  }

  void add_head(const std::string& id, const ParameterValues& parameters, const NamedTensors& state) {
    context_.head = make<SegmentationHead>(MethodKind::segmentation_head, id, context_, parameters);
    EXPECT_TRUE(context_.head->load_state(state).complete());
  }

  /// Taps by the golden's names for them.
  NamedTensors taps(const std::vector<std::pair<std::string, std::string>>& names) {
    ForwardRequest request;
    request.images_nchw = golden_.input("x");
    request.run = &run_;
    for (const auto& [output, tap] : names) request.keep.push_back(tap);
    const NamedTensors kept = context_.backbone->forward(request).taps;
    NamedTensors found;
    for (const auto& [output, tap] : names) found[output] = kept.at(tap);
    return found;
  }

  HeadResult head_result() {
    const at::Tensor images = golden_.input("x");
    ForwardRequest request;
    request.images_nchw = images;
    request.keep = context_.head->wanted_taps();
    request.run = &run_;
    return context_.head->forward({context_.backbone->forward(request).taps, images.size(2), images.size(3), &run_});
  }

  /// What the strategy predicts that trains at these scales too.
  at::Tensor fused_prediction(const std::vector<double>& further_scales) {
    context_.losses = {{"main", 1.0, make<Loss>(MethodKind::loss, "cross_entropy", context_)}};
    return make<TrainingStrategy>(MethodKind::training_strategy, "supervised", context_,
                                  {{"further_scales", further_scales}})
        ->predict(golden_.input("x"), run_);
  }

  at::Tensor at_input_size(const at::Tensor& logits) const {
    const at::Tensor images = golden_.input("x");
    return kernels::resize_maps(logits, images.size(2), images.size(3), /*align_corners=*/false);
  }

  ModelContext& context() { return context_; }

 private:
  static std::string class_key(const BackboneGolden& golden) {
    return golden.text("layout", "") == "deeplab_pytorch" ? "n_classes" : "classes";
  }

  FakeRun run_;
  BackboneGolden golden_;
  ModelContext context_;
};

std::shared_ptr<Backbone> torchvision_resnet(const BackboneGolden& golden) {
  FakeRun run;
  return make<Backbone>(MethodKind::backbone, golden.text("backbone", ""), contract_context(run, 1, false),
                        {{"output_stride", golden.integer("output_stride")}});
}

std::shared_ptr<Backbone> deeplab_resnet(const BackboneGolden& golden, std::int64_t output_stride,
                                         const std::vector<std::int64_t>& multi_grid) {
  FakeRun run;
  return std::make_shared<resnet::DeepLabResNet>(
      resnet::DeepLabResNetOptions{
          .depths = golden.integers("n_blocks"), .output_stride = output_stride, .multi_grid = multi_grid},
      run.generator());
}

NamedTensors deeplab_v2(const BackboneGolden& golden) {
  EXPECT_EQ(golden.text("layout", ""), "deeplab_pytorch");
  const c10::NoGradGuard no_grad;
  const NamedTensors weights = golden.weights();
  Segmenter segmenter(golden, deeplab_resnet(golden, 8, {1}), starting_with(weights, "layer"));
  segmenter.add_head("deeplab_v2", {{"atrous_rates", golden.integers("atrous_rates")}}, below(weights, "aspp."));
  NamedTensors found = segmenter.taps(
      {{"stem", "stem"}, {"layer2", "layer2"}, {"layer3", "layer3"}, {"layer4", "layer4"}, {"layer5", "layer5"}});
  std::vector<double> further = golden.has_list("scales") ? golden.numbers("scales") : std::vector<double>{};
  std::erase(further, 1.0);
  found["logits"] = further.empty() ? segmenter.head_result().logits_nkhw : segmenter.fused_prediction(further);
  return found;
}

NamedTensors deeplab_v3(const BackboneGolden& golden) {
  EXPECT_EQ(golden.text("layout", ""), "torchvision");
  const c10::NoGradGuard no_grad;
  const NamedTensors weights = golden.weights();
  const NamedTensors auxiliary = starting_with(weights, "aux_classifier.");
  NamedTensors head = starting_with(weights, "classifier.");
  head.insert(auxiliary.begin(), auxiliary.end());
  Segmenter segmenter(golden, torchvision_resnet(golden), below(weights, "backbone."));
  segmenter.add_head("deeplab_v3",
                     {{"atrous_rates", golden.integers("atrous_rates")}, {"auxiliary", !auxiliary.empty()}}, head);
  NamedTensors found = segmenter.taps({{"layer3", "layer3"}, {"layer4", "layer4"}});
  const HeadResult result = segmenter.head_result();
  found["head"] = result.logits_nkhw;
  found["logits"] = segmenter.at_input_size(result.logits_nkhw);
  if (!result.auxiliary_logits.empty()) found["aux_head"] = result.auxiliary_logits.front();
  return found;
}

NamedTensors drs_deeplab_v3_plus(const BackboneGolden& golden) {
  const c10::NoGradGuard no_grad;
  const NamedTensors weights = golden.weights();
  Segmenter segmenter(golden, torchvision_resnet(golden), below(weights, "backbone."));
  const std::vector<std::int64_t> rates = golden.integer("output_stride") == 8 ? std::vector<std::int64_t>{12, 24, 36}
                                                                               : std::vector<std::int64_t>{6, 12, 18};
  segmenter.add_head("deeplab_v3_plus", {{"atrous_rates", rates}, {"decoder_convolutions", std::int64_t{1}}},
                     below(weights, "classifier."));
  NamedTensors found = segmenter.taps({{"low_level", "layer1"}, {"layer4", "layer4"}});
  found["head"] = segmenter.head_result().logits_nkhw;
  found["logits"] = segmenter.at_input_size(found.at("head"));
  return found;
}

NamedTensors deeplab_pytorch_v3_plus(const BackboneGolden& golden) {
  const c10::NoGradGuard no_grad;
  const NamedTensors weights = golden.weights();
  Segmenter segmenter(golden, deeplab_resnet(golden, golden.integer("output_stride"), golden.integers("multi_grids")),
                      starting_with(weights, "layer"));
  const std::vector<std::int64_t> rates = golden.integers("atrous_rates");
  segmenter.add_head("deeplab_v3_plus", {{"atrous_rates", rates}},
                     deeplab_pytorch_decoder(weights, static_cast<std::int64_t>(rates.size())));
  NamedTensors found = segmenter.taps({{"stem", "stem"},
                                       {"layer2", "layer2"},
                                       {"low_level", "layer2"},
                                       {"layer3", "layer3"},
                                       {"layer4", "layer4"},
                                       {"layer5", "layer5"}});
  found["head"] = segmenter.head_result().logits_nkhw;
  found["logits"] = segmenter.at_input_size(found.at("head"));
  return found;
}

NamedTensors deeplab_v3_plus(const BackboneGolden& golden) {
  const std::string layout = golden.text("layout", "");
  if (layout == "drs") return drs_deeplab_v3_plus(golden);
  if (layout == "deeplab_pytorch") return deeplab_pytorch_v3_plus(golden);
  ADD_FAILURE() << "no layout `" << layout << "`";
  return {};
}

}  // namespace

std::vector<BackboneGoldenRunner> head_runners() {
  return {{"head", "large_fov", large_fov},
          {"head", "aspp", aspp},
          {"head", "deeplab_v2", deeplab_v2},
          {"head", "deeplab_v3", deeplab_v3},
          {"head", "deeplab_v3_plus", deeplab_v3_plus}};
}

}  // namespace seedbed::testing
