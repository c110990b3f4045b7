#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>

#include "backbone_golden.hpp"
#include "contract/methods_under_test.hpp"

namespace seedbed::testing {
namespace {

NamedTensors squeezenet(const BackboneGolden& golden, const std::string& variant) {
  FakeRun run;
  const auto backbone =
      make<Backbone>(MethodKind::backbone, "squeezenet", contract_context(run, 1, false), {{"variant", variant}});
  EXPECT_TRUE(backbone->load_weights(golden.weights()).complete());
  ForwardRequest request;
  request.images_nchw = golden.input("x");
  request.run = &run;
  request.keep = {"final"};
  for (const std::string& name : golden.output_names()) {
    if (name != "logits") request.keep.push_back(name);
  }
  const c10::NoGradGuard no_grad;
  NamedTensors found = backbone->forward(request).taps;
  found["logits"] = backbone->reference_logits(found.at("final"));
  return found;
}

}  // namespace

std::vector<BackboneGoldenRunner> squeezenet_runners() {
  return {{"backbone", "squeezenet1_0", [](const BackboneGolden& golden) { return squeezenet(golden, "1.0"); }},
          {"backbone", "squeezenet1_1", [](const BackboneGolden& golden) { return squeezenet(golden, "1.1"); }}};
}

}  // namespace seedbed::testing
