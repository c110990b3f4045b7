// The generator `cam`, its poolings, and the loss of image-level scores, as the plugins compute them.
#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "contract/given_features.hpp"
#include "contract/methods_under_test.hpp"
#include "runners.hpp"
#include "seedbed/kernels/fusion.hpp"
#include "seedbed/kernels/resize.hpp"
#include "seedbed/loss.hpp"
#include "seedbed/seed_generator.hpp"

namespace seedbed::testing {
namespace {

/// `cam` on given features with a given classifier.
SeedResult cam(const at::Tensor& features, const at::Tensor& classifier, const ParameterValues& parameters) {
  const c10::NoGradGuard no_grad;
  FakeRun run;
  ModelContext context = contract_context(run, classifier.size(0), false);
  context.backbone = std::make_shared<GivenFeatures>(features.size(1));
  const auto generator = make<SeedGenerator>(MethodKind::seed_generator, "cam", context, parameters);
  generator->load_state({{"classifier.weight", classifier}});
  SeedRequest request;
  request.images_nchw = features;
  request.views.resize(static_cast<std::size_t>(features.size(0)));
  request.logits_wanted = true;
  request.run = &run;
  return generator->generate(request);
}

NamedTensors cam_from_features(const Golden& golden) {
  const SeedResult result = cam(golden.input("features"), golden.input("classifier"), {});
  const at::Tensor map = result.maps.scores_nphw, activated = map.relu();
  std::vector<at::Tensor> normalised;
  for (const at::Tensor& maps_chw : activated.unbind(0)) normalised.push_back(kernels::normalise_maps(maps_chw, "max"));
  const std::vector<double> size = golden.numbers("up_size");
  const auto resized = [&](bool align_corners) {
    return kernels::resize_maps(activated.slice(0, 0, 1), static_cast<std::int64_t>(size[0]),
                                static_cast<std::int64_t>(size[1]), align_corners);
  };
  return {{"logits", result.logits_nc},
          {"map", map},
          {"cam", activated},
          {"cam_sqrt", activated.sqrt()},
          {"norm_max", at::stack(normalised)},
          {"up_half_pixel", resized(false)},
          {"up_align_corners", resized(true)}};
}

NamedTensors poolings(const Golden& golden) {
  const at::Tensor maps = golden.input("maps");
  const at::Tensor identity = at::eye(maps.size(1)).view({maps.size(1), maps.size(1), 1, 1});
  const auto pooled = [&](const ParameterValues& parameters) { return cam(maps, identity, parameters).logits_nc; };
  NamedTensors found{{"gap", pooled({{"pooling", std::string("gap")}})},
                     {"gmp", pooled({{"pooling", std::string("gmp")}})}};
  for (const std::string& name : golden.output_names()) {
    if (!name.starts_with("gwrp_")) continue;
    found[name] = pooled({{"pooling", std::string("gwrp")}, {"rank_decay", std::stod(name.substr(5))}});
  }
  return found;
}

NamedTensors soft_margin(const Golden& golden) {
  FakeRun run;
  LossRequest request;
  request.logits = golden.input("logits").clone().set_requires_grad(true);
  request.present_nc = golden.input("labels").gt(0.5);
  const auto loss = make<Loss>(MethodKind::loss, "multilabel_soft_margin", contract_context(run, 1, false));
  const at::Tensor value = loss->compute(request);
  value.backward();
  return {{"soft_margin", value.detach().view({1})},
          {"bce", value.detach().view({1})},
          {"d_soft_margin", request.logits.grad()}};
}

}  // namespace

std::vector<GoldenRunner> classification_runners() {
  return {
      {"cam", "torch ops as in irn net/resnet50_cam.py and psa network/vgg16_cls.py", "", cam_from_features},
      {"pooling", "global average / max / weighted rank pooling (SEC, MCTformer+)", "", poolings},
      {"classification_loss", "multilabel_soft_margin_loss, binary_cross_entropy_with_logits", "", soft_margin},
  };
}

}  // namespace seedbed::testing
