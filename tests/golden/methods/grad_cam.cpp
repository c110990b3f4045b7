// The generators of plugins/seeds/grad_cam on a small network, beside the package grad-cam.
#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "contract/methods_under_test.hpp"
#include "runners.hpp"
#include "seedbed/kernels/gradient_maps.hpp"
#include "seedbed/kernels/resize.hpp"
#include "seedbed/seed_generator.hpp"

namespace seedbed::testing {
namespace {

/// Two strided convolutions with ReLU; taps before and behind the last one.
class SmallTower : public Backbone {
 public:
  explicit SmallTower(const Golden& golden)
      : weight1_(golden.weight("conv1.weight", {8, 3, 3, 3})),
        bias1_(golden.weight("conv1.bias", {8})),
        weight2_(golden.weight("conv2.weight", {16, 8, 3, 3})),
        bias2_(golden.weight("conv2.bias", {16})) {}

  Normalisation normalisation() const override { return {}; }
  std::vector<TapInfo> taps() const override {
    return {{"conv2", {}, 16, 4.0, false}, {"final", {"relu2"}, 16, 4.0, false}};
  }
  std::vector<Site> sites() const override { return {}; }
  ForwardResult forward(const ForwardRequest& request) override {
    const at::Tensor conv2 = request.from ? request.from->value
                                          : at::conv2d(at::conv2d(request.images_nchw, weight1_, bias1_, 2, 1).relu(),
                                                       weight2_, bias2_, 2, 1);
    ForwardResult result;
    for (const std::string& tap : request.keep) result.taps[tap] = tap == "conv2" ? conv2 : conv2.relu();
    return result;
  }
  std::shared_ptr<Backbone> clone() const override { return nullptr; }

 private:
  at::Tensor weight1_, bias1_, weight2_, bias2_;
};

// What the package makes of a raw map: least value 0 and largest 1, resized, and scaled once more.
at::Tensor scaled_as_package(const at::Tensor& raw_nhw, std::int64_t height, std::int64_t width) {
  const auto scaled = [](const at::Tensor& maps_nhw) {
    const at::Tensor shifted = maps_nhw - maps_nhw.amin({1, 2}, true);
    return shifted / (shifted.amax({1, 2}, true) + 1e-7);
  };
  const at::Tensor resized = kernels::resize_maps(scaled(raw_nhw.relu()).unsqueeze(1), height, width, false);
  return scaled(resized.squeeze(1));
}

NamedTensors grad_cam_family(const Golden& golden) {
  FakeRun run;
  const at::Tensor images = golden.input("image");
  const std::vector<double> targets = golden.numbers("targets");
  const at::Tensor weight = golden.weight("fc.weight", {6, 16}), bias = golden.weight("fc.bias", {6});
  ModelContext context = contract_context(run, 6, false);
  context.backbone = std::make_shared<SmallTower>(golden);
  const auto of_targets = [&](const at::Tensor& values_nc) {
    std::vector<at::Tensor> chosen;
    for (std::size_t i = 0; i < targets.size(); ++i) {
      chosen.push_back(values_nc[static_cast<std::int64_t>(i)][static_cast<std::int64_t>(targets[i])]);
    }
    return at::stack(chosen);
  };

  NamedTensors found;
  const auto add = [&](const std::string& name, const std::string& tap, const std::string& id,
                       ParameterValues parameters) {
    parameters["tap"] = tap;
    parameters["bias"] = true;
    const c10::NoGradGuard no_grad;
    const auto generator = make<SeedGenerator>(MethodKind::seed_generator, id, context, parameters);
    generator->load_state({{"classifier.weight", weight.view({6, 16, 1, 1})}, {"classifier.bias", bias}});
    SeedRequest request;
    request.images_nchw = images;
    request.views.resize(2);
    request.logits_wanted = true;
    request.run = &run;
    const SeedResult result = generator->generate(request);
    const at::Tensor raw = of_targets(result.maps.scores_nphw);
    found[name + "_" + tap + "_raw"] = raw;
    found[name + "_" + tap] = scaled_as_package(raw, images.size(2), images.size(3));
    found["logits"] = result.logits_nc;
  };
  for (const std::string tap : {"conv2", "relu2"}) {
    add("gradcam", tap, "grad_cam", {});
    add("xgradcam", tap, "grad_cam", {{"channel_weights", std::string("xgrad")}});
    add("gradcamplusplus", tap, "grad_cam_pp", {});
    add("layercam", tap, "layer_cam", {});

    const c10::AutoGradMode gradients(true);
    ForwardRequest request;
    request.images_nchw = images;
    request.keep = {tap};
    const at::Tensor activations = context.backbone->forward(request).taps.at(tap).detach().requires_grad_(true);
    const at::Tensor features = tap == "conv2" ? activations.relu() : activations;
    const at::Tensor scores = of_targets(at::linear(features.mean({2, 3}), weight, bias));
    found["activations_" + tap] = activations.detach();
    found["gradients_" + tap] = kernels::gradient_of(scores, activations);
  }
  return found;
}

}  // namespace

std::vector<GoldenRunner> grad_cam_runners() {
  return {{"grad_cam", "GradCAM, GradCAMPlusPlus, LayerCAM, XGradCAM", "", grad_cam_family}};
}

}  // namespace seedbed::testing
