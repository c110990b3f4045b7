// SEC and DSRG: their loss terms, the CRF in the loop, region growing.
#include <functional>
#include <string>
#include <utility>

#include <ATen/ATen.h>

#include "contract/methods_under_test.hpp"
#include "region_growing.hpp"
#include "runners.hpp"
#include "seedbed/kernels/crf_layer.hpp"
#include "seedbed/kernels/seed_expand_constrain.hpp"

namespace seedbed::testing {
namespace {

using namespace kernels;

constexpr std::int64_t kRow = 20;  // the goldens hold gradients of this row and the sum of all

at::Tensor scalar(const at::Tensor& value) { return value.detach().view({1}); }

at::Tensor present_classes(const at::Tensor& stat) {
  const at::Tensor labels = stat.flatten(1);
  return labels.slice(1, 1).gt(0.5);
}

NamedTensors sec_losses(const Golden& golden) {
  const at::Tensor given = golden.input("logits");
  const at::Tensor smooth = at_least_floor(golden.input("smooth_logits").softmax(1));
  const at::Tensor present = present_classes(golden.input("stat")), cues = golden.input("cues");
  NamedTensors found;
  const auto add = [&](const std::string& name, const std::function<at::Tensor(const at::Tensor&)>& term) {
    const at::Tensor logits = given.clone().set_requires_grad(true);
    const at::Tensor probabilities = with_floor(logits.softmax(1));
    const at::Tensor value = term(probabilities);
    value.backward();
    found[name] = scalar(value);
    found["dlogits_" + name + "_row20"] = logits.grad().select(2, kRow);
    found["dlogits_" + name + "_abs_sum"] = logits.grad().abs().sum().view({1});
    found["probs_row20"] = probabilities.detach().select(2, kRow);
  };
  add("seed", [&](const at::Tensor& probabilities) { return seed_loss(probabilities, cues); });
  add("expand", [&](const at::Tensor& probabilities) { return expand_loss(probabilities, present); });
  add("constrain", [&](const at::Tensor& probabilities) { return constrain_loss(probabilities, smooth); });
  return found;
}

NamedTensors sec_losses_small(const Golden& golden) {
  const at::Tensor probabilities = with_floor(golden.input("logits").softmax(1));
  return {{"seed", scalar(seed_loss(probabilities, golden.input("cues")))},
          {"expand", scalar(expand_loss(probabilities, present_classes(golden.input("stat"))))},
          {"probs", probabilities}};
}

NamedTensors sec_crf(const Golden& golden) {
  const CrfLayer layer{.iterations = static_cast<std::int64_t>(golden.number("iterations")),
                       .gauss_sigma = golden.number("gauss_sigma"),
                       .gauss_weight = golden.number("gauss_weight"),
                       .bilateral_xy = golden.number("bilateral_xy"),
                       .bilateral_rgb = golden.number("bilateral_rgb"),
                       .bilateral_weight = golden.number("bilateral_weight")};
  const at::Tensor marginals =
      crf_layer(golden.input("scores").unsqueeze(0), golden.input("image").unsqueeze(0), layer)[0];
  return {{"marginals", marginals}, {"label", marginals.argmax(0).to(at::kByte)}};
}

NamedTensors dsrg_losses(const Golden& golden) {
  const at::Tensor cues = golden.input("cues"), smooth = golden.input("smooth");
  const auto run = [&](const std::function<at::Tensor(const at::Tensor&)>& term) {
    const at::Tensor probabilities = golden.input("probs").clone().set_requires_grad(true);
    const at::Tensor value = term(probabilities);
    value.backward();
    return std::pair{scalar(value), probabilities.grad()};
  };
  const auto [balanced, d_balanced] = run([&](const at::Tensor& probabilities) {
    return seed_loss(probabilities, cues, SeedBalance::background_foreground);
  });
  const auto [constrain, d_constrain] = run([&](const at::Tensor& probabilities) {
    return constrain_loss(probabilities, smooth, std::pair{0.05, 20.0});
  });
  return {{"balanced_seed", balanced},
          {"dprobs_seed", d_balanced},
          {"constrain", constrain},
          {"dprobs_constrain", d_constrain}};
}

NamedTensors region_growing(const Golden& golden) {
  const at::Tensor present = golden.input("label").gt(0.5).unsqueeze(0);
  const auto grown = [&](double background, double foreground) {
    return seeded::grown_seeds(golden.input("seeds").unsqueeze(0), present, golden.input("probs").unsqueeze(0),
                               {.foreground = foreground, .background = background})[0]
        .to(at::kByte);
  };
  return {{"seeds_bg99_fg85", grown(0.99, 0.85)}, {"seeds_bg80_fg60", grown(0.8, 0.6)}};
}

}  // namespace

std::vector<GoldenRunner> seeding_runners() {
  return {
      {"sec", "softmax_layer, seed_loss_layer, expand_loss_layer, constrain_loss_layer", "", sec_losses},
      {"sec", "SEC losses at other sizes", "", sec_losses_small},
      {"sec", "DenseCRF2D with the SEC layer's settings", "", sec_crf},
      {"dsrg", "balanced seed loss, clipped constrain loss (after speedinghzl/DSRG pylayers.py)", "", dsrg_losses},
      {"dsrg", "generate_seed_step", "", region_growing},
  };
}

}  // namespace seedbed::testing
