#include <algorithm>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>

#include "backbone_golden.hpp"
#include "contract/methods_under_test.hpp"

namespace seedbed::testing {
namespace {

// What a backbone puts out under the golden's names, "logits" by its own classifier unless `taps` are all there is.
NamedTensors outputs(const BackboneGolden& golden, const std::string& id, const ParameterValues& parameters,
                     const std::vector<std::string>& not_taps = {"logits"}) {
  FakeRun run;
  const auto backbone = make<Backbone>(MethodKind::backbone, id, contract_context(run, 1, false), parameters);
  EXPECT_TRUE(backbone->load_weights(golden.weights()).complete());
  ForwardRequest request;
  request.images_nchw = golden.input("x");
  request.run = &run;
  request.keep = {"final"};
  bool classified = false;
  for (const std::string& name : golden.output_names()) {
    const bool tap = std::ranges::find(not_taps, name) == not_taps.end();
    if (tap) request.keep.push_back(name);
    classified = classified || name == "logits";
  }
  const c10::NoGradGuard no_grad;
  NamedTensors found = backbone->forward(request).taps;
  if (classified && not_taps.size() == 1) found["logits"] = backbone->reference_logits(found.at("final"));
  return found;
}

NamedTensors resnet(const BackboneGolden& golden) {
  const std::string layout = golden.text("layout", "torchvision");
  ParameterValues parameters{{"variant", layout}};
  if (layout == "irn") {
    parameters["strides"] = golden.integers("strides");
    parameters["dilations"] = golden.integers("dilations");
    EXPECT_EQ(golden.integer("first_block_dilation"), 1);
  } else {
    parameters["output_stride"] = golden.integer("output_stride");
  }
  return outputs(golden, golden.model(), parameters);
}

NamedTensors vgg16(const BackboneGolden& golden) {
  if (golden.text("layout", "torchvision") == "torchvision") {
    const std::string variant = golden.flag("batch_norm", false) ? "torchvision_bn" : "torchvision";
    NamedTensors found = outputs(golden, "vgg16", {{"variant", variant}});
    found["pool5"] = found.at("final");
    return found;
  }
  EXPECT_EQ(golden.integer("conv5_dilation"), 2);
  NamedTensors found = outputs(golden, "vgg16", {{"variant", "psa"}, {"fc6_dilation", golden.integer("fc6_dilation")}},
                               {"cam", "logits"});
  if (golden.flag("cam", false)) {
    // The classifier is the method's: a 1x1 convolution without bias; the map is the root of what is positive.
    const at::Tensor map = at::conv2d(found.at("final"), golden.weights().at("fc8.weight"));
    found["cam"] = map.relu().sqrt();
    found["logits"] = map.mean({2, 3});
  }
  return found;
}

NamedTensors vgg16_largefov(const BackboneGolden& golden) {
  EXPECT_EQ(golden.text("layout", ""), "sec");
  EXPECT_EQ(golden.integer("conv5_dilation"), 2);
  NamedTensors found = outputs(
      golden, "vgg16", {{"variant", "largefov"}, {"fc6_dilation", golden.integer("fc6_dilation")}}, {"logits", "cam"});
  const NamedTensors weights = golden.weights();
  EXPECT_EQ(weights.at("fc8.weight").size(0), golden.integer("classes"));
  found["logits"] = at::conv2d(found.at("final"), weights.at("fc8.weight"), weights.at("fc8.bias"));
  return found;
}

}  // namespace

std::vector<BackboneGoldenRunner> convolutional_runners() {
  std::vector<BackboneGoldenRunner> runners{
      {"backbone", "vgg16", vgg16},
      {"head", "vgg16_largefov", vgg16_largefov},
      {"backbone", "resnet38d", [](const BackboneGolden& golden) { return outputs(golden, "resnet38d", {}); }},
      {"backbone", "mobilenet_v2", [](const BackboneGolden& golden) { return outputs(golden, "mobilenet_v2", {}); }}};
  for (const char* id : {"resnet18", "resnet34", "resnet50", "resnet101"}) runners.push_back({"backbone", id, resnet});
  return runners;
}

}  // namespace seedbed::testing
