// DRS: the suppression layer and the refinement network's target and loss, as the plugin computes them.
#include <memory>
#include <string>
#include <vector>

#include <ATen/ATen.h>

#include "contract/given_features.hpp"
#include "contract/methods_under_test.hpp"
#include "runners.hpp"
#include "seedbed/refiner.hpp"
#include "seedbed/seed_generator.hpp"
#include "seedbed/trainable.hpp"
#include "support/formula_tensors.hpp"

namespace seedbed::testing {
namespace {

at::Tensor identity(std::int64_t channels) { return at::eye(channels).view({channels, channels, 1, 1}); }

// `drs` on one activation, with a classifier that passes each channel on as a class.
struct SuppressionLayer {
  SuppressionLayer(const at::Tensor& x, const at::Tensor& upstream, ParameterValues parameters,
                   const NamedTensors& state) {
    FakeRun run;
    const std::int64_t channels = x.size(1);
    ModelContext context = contract_context(run, channels, false);
    context.backbone = std::make_shared<GivenPreActivations>(channels);
    parameters["extra_layers"] = std::int64_t{0};
    const auto generator = make<SeedGenerator>(MethodKind::seed_generator, "drs", context, parameters);
    NamedTensors all = state;
    all["layers.classifier.weight"] = identity(channels);
    all["layers.classifier.bias"] = at::zeros({channels});
    EXPECT_TRUE(generator->load_state(all).complete());
    SeedRequest request;
    request.images_nchw = x.clone().set_requires_grad(true);
    request.views.resize(static_cast<std::size_t>(x.size(0)));
    request.run = &run;
    y = generator->generate(request).maps.scores_nphw;
    (y * upstream).sum().backward();
    dx = request.images_nchw.grad();
    for (const auto& [name, parameter] : generator->named_parameters()) {
      if (name == "controllers.relu.weight") dw = parameter.grad();
    }
  }
  at::Tensor y, dx, dw;
};

NamedTensors layer(const Golden& golden) {
  const at::Tensor x = golden.input("x"), upstream = golden.input("upstream");
  NamedTensors found;
  for (const double delta : golden.numbers("deltas")) {
    const std::string suffix =
        "_delta" + std::string(delta == 1.0 ? "" : "0") + std::to_string(static_cast<int>(delta * 100 + 0.5));
    const SuppressionLayer fixed(x, upstream, {{"delta", delta}}, {});
    found["y" + suffix] = fixed.y;
    found["dx" + suffix] = fixed.dx;
  }
  const at::Tensor weight = formula_weight("p." + golden.name() + ".fc.0.weight", {x.size(1), x.size(1)});
  const SuppressionLayer learnable(x, upstream, {{"controller", std::string("learnable")}},
                                   {{"controllers.relu.weight", weight}});
  found["y_learnable"] = learnable.y;
  found["dx_learnable"] = learnable.dx;
  found["dW_learnable"] = learnable.dw;
  return found;
}

// The refiner on a backbone whose features are the prediction.
NamedTensors refinement_loss(const Golden& golden) {
  FakeRun run;
  const at::Tensor stored = golden.input("maps_u8"), prediction = golden.input("prediction");
  const std::int64_t channels = stored.size(0);
  ModelContext context = contract_context(run, channels, false);
  context.backbone = std::make_shared<GivenFeatures>(channels);
  const auto refiner =
      make<Refiner>(MethodKind::refiner, "drs_map_refinement", context, {{"extra_layers", std::int64_t{0}}});
  EXPECT_TRUE(refiner
                  ->load_state({{"layers.classifier.weight", identity(channels)},
                                {"layers.classifier.bias", at::zeros({channels})}})
                  .complete());
  ViewBatch batch;
  batch.images_nchw = prediction.unsqueeze(0).clone().set_requires_grad(true);
  batch.companions["maps"] = (stored.to(at::kFloat) / 255).unsqueeze(0);
  StepRequest step;
  step.streams["main"]["main"] = batch;
  step.run = &run;
  const at::Tensor loss = refiner->trainable()->training_step(step).front().second;
  loss.backward();
  // The loss is the mean of (prediction - target)^2, so its gradient tells the target.
  const at::Tensor gradient = batch.images_nchw.grad()[0];
  const at::Tensor target =
      prediction.to(at::kDouble) - gradient.to(at::kDouble) * (static_cast<double>(prediction.numel()) / 2);
  return {{"target", target.to(at::kFloat)}, {"loss", loss.detach().view({1})}, {"dprediction", gradient}};
}

}  // namespace

std::vector<GoldenRunner> drs_runners() {
  return {
      {"drs", "DRS, DRS_learnable", "", layer},
      {"drs", "VOCDataset.__getitem__ (mask), MSELoss", "", refinement_loss},
  };
}

}  // namespace seedbed::testing
