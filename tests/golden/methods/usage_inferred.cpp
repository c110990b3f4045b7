// The pooling of `usage_inferred`, from the plugin: on given maps, with a classifier that passes each channel on.
#include <memory>
#include <string>

#include <ATen/ATen.h>

#include "contract/given_features.hpp"
#include "contract/methods_under_test.hpp"
#include "runners.hpp"
#include "seedbed/seed_generator.hpp"

namespace seedbed::testing {
namespace {

struct Pooled {
  at::Tensor scores, gradient, alpha;
};

Pooled pooled(const Golden& golden, double tau) {
  FakeRun run;
  const at::Tensor maps = golden.input("maps");
  const std::int64_t channels = maps.size(1);
  ModelContext context = contract_context(run, channels, false);
  context.backbone = std::make_shared<GivenFeatures>(channels);
  const auto generator = make<SeedGenerator>(MethodKind::seed_generator, "usage_inferred", context,
                                             {{"generation_tau", tau},
                                              {"adjustment", std::string("none")},
                                              {"axis", golden.text("axis", "")},
                                              {"convention", golden.text("convention", "")},
                                              {"score_normalisation", golden.text("normalise", "")}});
  generator->load_state({{"classifier.weight", at::eye(channels).view({channels, channels, 1, 1})}});
  SeedRequest request;
  request.images_nchw = maps.clone().set_requires_grad(true);
  request.views.resize(static_cast<std::size_t>(maps.size(0)));
  request.logits_wanted = true;
  request.side_artefacts_wanted = {"activation_distribution"};
  request.run = &run;
  const SeedResult result = generator->generate(request);
  result.logits_nc.sum().backward();
  return {result.logits_nc.detach(), request.images_nchw.grad(),
          result.side_artefacts.at("activation_distribution").detach()};
}

NamedTensors softmax_pooling(const Golden& golden) {
  NamedTensors found;
  for (const std::string& output : golden.output_names()) {
    if (!output.starts_with("s_tau")) continue;
    const std::string tau = output.substr(5);
    const Pooled result = pooled(golden, std::stod(tau));
    found[output] = result.scores;
    found["grad_tau" + tau] = result.gradient;
  }
  found["alpha_tau1"] = pooled(golden, 1.0).alpha;
  return found;
}

}  // namespace

std::vector<GoldenRunner> usage_inferred_runners() {
  return {{"usage_inferred", "softmax pooling over space, method notes 4.3", "", softmax_pooling}};
}

}  // namespace seedbed::testing
