// Losses that compare pixels with each other: dense energy, gated CRF, affinity.
#include <string>

#include <ATen/ATen.h>

#include "gated_crf.hpp"
#include "runners.hpp"
#include "seedbed/kernels/dense_energy.hpp"
#include "seedbed/kernels/label_affinity.hpp"

namespace seedbed::testing {
namespace {

NamedTensors dense_energy(const Golden& golden) {
  const kernels::DenseEnergy energy{.weight = golden.number("weight"),
                                    .sigma_rgb = golden.number("sigma_rgb"),
                                    .sigma_xy = golden.number("sigma_xy"),
                                    .scale = golden.number("scale"),
                                    .gate = true,
                                    .exact = golden.name().find("exact") != std::string::npos};
  const at::Tensor probabilities = golden.input("prob").clone().set_requires_grad(true);
  const at::Tensor value = kernels::dense_energy({.images_nhwc = golden.input("image").permute({0, 2, 3, 1}),
                                                  .probabilities_nkhw = probabilities,
                                                  .region_nhw = golden.input("roi"),
                                                  .labels_nhw = golden.input("label").squeeze(1)},
                                                 energy);
  value.backward();
  return {{"loss_x1e4", (value.detach() * 1e4).view({1})}, {"dprob_x1e6", probabilities.grad() * 1e6}};
}

NamedTensors gated_crf_losses(const Golden& golden) {
  const at::Tensor colours = at::adaptive_avg_pool2d(golden.input("rgb"), golden.input("prob").sizes().slice(2));
  const at::Tensor source = golden.input("mask_src").squeeze(1), destination = golden.input("mask_dst").squeeze(1);
  NamedTensors found;
  for (const std::int64_t radius : {2, 5}) {
    const crf_losses::GatedCrf crf{.kernels = {{0.9, 6.0, 0.1}, {0.1, 6.0, 0.0}}, .radius = radius};
    const auto add = [&](const std::string& masks, const at::Tensor& s, const at::Tensor& d) {
      const at::Tensor probabilities = golden.input("prob").clone().set_requires_grad(true);
      const at::Tensor value = crf_losses::gated_crf(probabilities, colours, s, d, crf);
      value.backward();
      const std::string name = "_" + masks + "_r" + std::to_string(radius);
      found["loss" + name] = value.detach().view({1});
      found["dprob" + name] = probabilities.grad();
    };
    add("plain", {}, {});
    add("dst", {}, destination);
    add("src_dst", source, destination);
  }
  return found;
}

NamedTensors afa_affinity(const Golden& golden) {
  const auto radius = static_cast<std::int64_t>(golden.number("radius"));
  const at::Tensor labels = golden.input("labels_grid");
  const at::Tensor targets = kernels::affinity_targets(labels, {.radius = radius});
  // Of a grid of one label, pairs are where the window is.
  const at::Tensor window = kernels::affinity_targets(at::zeros_like(labels.narrow(0, 0, 1)), {.radius = radius})[0];
  const at::Tensor affinity = golden.input("affinity").clone().set_requires_grad(true);
  const at::Tensor loss = kernels::affinity_loss(affinity, targets);
  loss.backward();
  const auto count = [&](std::int64_t value) { return (targets.eq(value).sum() + 1).view({1}); };
  return {{"mask", window.eq(1).to(at::kFloat)},
          {"target", targets},
          {"loss", loss.detach().view({1})},
          {"pos_count", count(1)},
          {"neg_count", count(0)},
          {"daffinity", affinity.grad()}};
}

NamedTensors toco_pairs(const Golden& golden) {
  return {{"mask", kernels::affinity_targets(golden.input("labels"), {.radius = -1, .with_itself = false})}};
}

}  // namespace

std::vector<GoldenRunner> regulariser_runners() {
  return {
      {"dense_energy", "DenseEnergyLoss, DenseEnergyLossFunction", "", dense_energy},
      {"dense_energy", "DenseEnergyLoss, DenseEnergyLossFunction, bilateralfilter_batch", "", dense_energy},
      {"gated_crf", "ModelLossSemsegGatedCRF.forward", "", gated_crf_losses},
      {"afa", "cams_to_affinity_label, get_aff_loss, get_mask_by_radius", "", afa_affinity},
      {"toco", "label_to_aff_mask", "", toco_pairs},
  };
}

}  // namespace seedbed::testing
