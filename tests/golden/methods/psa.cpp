// AffinityNet: labels of cells, affinities, training pairs and loss, the matrix, the walk and its label.
#include <cmath>

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>

#include "affinity_head.hpp"
#include "cell_labels.hpp"
#include "random_walk_psa.hpp"
#include "runners.hpp"
#include "seedbed/kernels/random_walk.hpp"
#include "seedbed/kernels/resize.hpp"

namespace seedbed::testing {
namespace {

using kernels::CellOffset;

at::Tensor features_of(const Golden& golden, const std::string& prefix) {
  random_walk_psa::AffinityHead head({6, 8, 10}, {4, 5, 6}, false, at::detail::createCPUGenerator(0));
  head.load_state({{"tap_1.weight", golden.weight("f8_3.weight", {4, 6, 1, 1})},
                   {"tap_2.weight", golden.weight("f8_4.weight", {5, 8, 1, 1})},
                   {"tap_3.weight", golden.weight("f8_5.weight", {6, 10, 1, 1})},
                   {"mix.weight", golden.weight("f9.weight", {15, 15, 1, 1})}});
  head.set_requires_grad(false);
  return head.forward({golden.input(prefix + "conv4"), golden.input(prefix + "conv5"), golden.input(prefix + "conv6")});
}

NamedTensors affinity(const Golden& golden) {
  const auto radius = static_cast<std::int64_t>(golden.number("radius"));
  const at::Tensor features = features_of(golden, "");
  const at::Tensor labels = golden.input("labels").to(at::kLong).unsqueeze(0);
  const auto offsets = kernels::half_disc(radius);
  const auto sources = kernels::sources_within(labels.size(1), labels.size(2), radius);
  const at::Tensor found =
      random_walk_psa::affinities_at_sources(features, offsets, sources).detach().set_requires_grad(true);
  const auto losses = kernels::affinity_losses(found, kernels::pair_targets(labels, offsets, sources, kIgnoreLabel));
  const at::Tensor loss = losses.background / 4 + losses.foreground / 4 + losses.different / 2;
  loss.backward();
  const auto scalar = [](const at::Tensor& value) { return value.detach().view({1}); };
  return {{"affinity", found.detach()},           {"loss", scalar(loss)},
          {"bg_loss", scalar(losses.background)}, {"fg_loss", scalar(losses.foreground)},
          {"neg_loss", scalar(losses.different)}, {"daffinity", found.grad()}};
}

NamedTensors affinity_labels(const Golden& golden) {
  const auto radius = static_cast<std::int64_t>(golden.number("radius"));
  const at::Tensor labels = golden.input("labels").unsqueeze(0);
  const auto offsets = kernels::half_disc(radius);
  const auto sources = kernels::sources_within(labels.size(1), labels.size(2), radius);
  const auto targets = kernels::pair_targets(labels, offsets, sources, kIgnoreLabel);
  const at::Tensor numbers = at::arange(labels.numel(), at::kLong).view({1, 1, labels.size(1), labels.size(2)});
  std::vector<at::Tensor> beside;
  for (const CellOffset& offset : offsets) beside.push_back(kernels::at_sources(numbers, sources, offset)[0]);
  return {{"bg_pos", targets.background_nos[0].to(at::kFloat)},
          {"fg_pos", targets.foreground_nos[0].to(at::kFloat)},
          {"neg", targets.different_nos[0].to(at::kFloat)},
          {"ind_from", kernels::at_sources(numbers, sources)[0][0]},
          {"ind_to", at::cat(beside)}};
}

NamedTensors confidence_label(const Golden& golden) {
  const auto cell_px = static_cast<std::int64_t>(golden.number("pool"));
  const auto averages = [&](const std::string& name) {
    const at::Tensor scores = golden.input(name).permute({2, 0, 1}).unsqueeze(0);
    return random_walk_psa::averaged_over_cells(scores, scores.size(2) / cell_px, scores.size(3) / cell_px);
  };
  const at::Tensor low = averages("low_alpha"), high = averages("high_alpha");
  return {{"pooled", at::cat({low, high}, 1)[0].permute({1, 2, 0})},
          {"label", random_walk_psa::labels_of_averages(low, high)[0]}};
}

NamedTensors dense_affinity(const Golden& golden) {
  const auto radius = static_cast<std::int64_t>(golden.number("radius"));
  const at::Tensor features = features_of(golden, "")[0];
  const auto offsets = kernels::half_disc(radius);
  const std::int64_t height = features.size(1), width = features.size(2);
  const auto dense = [&](const at::Tensor& affinities_ohw) {
    at::Tensor matrix = at::eye(height * width);
    for (std::size_t o = 0; o < offsets.size(); ++o) {
      const auto [dy, dx] = offsets[o];
      for (std::int64_t y = 0; y + dy < height; ++y) {
        for (std::int64_t x = std::max<std::int64_t>(0, -dx); x < width - std::max<std::int64_t>(0, dx); ++x) {
          const std::int64_t i = y * width + x, j = (y + dy) * width + x + dx;
          matrix[i][j] = matrix[j][i] = affinities_ohw[static_cast<std::int64_t>(o)][y][x];
        }
      }
    }
    return matrix;
  };
  const at::Tensor released = random_walk_psa::affinities_between(features, radius, false);
  // One step of the walk, from each cell: rows of the transition matrix, here of affinities as they are.
  const at::Tensor cells = at::eye(height * width).view({-1, height, width});
  return {{"dense", dense(released)},
          {"transition", kernels::random_walk(cells, released, offsets, 1, 0).flatten(1)},
          {"dense_all_pairs", dense(random_walk_psa::affinities_between(features, radius, true))}};
}

NamedTensors random_walk(const Golden& golden) {
  constexpr std::int64_t kRadius = 5, kStride = 8;
  const at::Tensor cams = golden.input("cams"), keys = golden.input("keys");
  const std::int64_t height = cams.size(1), width = cams.size(2);
  const at::Tensor affinities =
      random_walk_psa::affinities_between(features_of(golden, "features_")[0], kRadius, false);
  const std::int64_t full_height = kStride * affinities.size(1), full_width = kStride * affinities.size(2);
  NamedTensors found;
  const auto run = [&](const std::string& name, double beta, std::int64_t log_steps, double alpha) {
    const at::Tensor background = (1 - cams.amax(0, true)).pow(alpha);
    const at::Tensor spread =
        random_walk_psa::walk_of_maps(at::cat({background, cams}), affinities, kRadius, full_height, full_width,
                                      {.beta = beta, .log_steps = log_steps});
    const at::Tensor large = kernels::resize_maps(spread.unsqueeze(0), full_height, full_width, false)[0];
    const at::Tensor winner = large.narrow(1, 0, height).narrow(2, 0, width).argmax(0);
    const at::Tensor labels = at::cat({at::zeros({1}, at::kLong), keys + 1});
    found["rw_" + name] = spread;
    found["label_" + name] = labels.index_select(0, winner.flatten()).view({height, width}).to(at::kByte);
  };
  run("b8_t8_a16", 8, 8, 16);
  run("b8_t2_a4", 8, 2, 4);
  run("b4_t0_a16", 4, 0, 16);
  return found;
}

}  // namespace

std::vector<GoldenRunner> psa_runners() {
  return {{"psa", "Net.forward; inline loss", "", affinity},
          {"psa", "ExtractAffinityLabelInRadius, get_indices_of_pairs", "", affinity_labels},
          {"psa", "VOC12AffDataset.__getitem__ (tail), AvgPool2d", "", confidence_label},
          {"psa", "Net.forward(to_dense)", "", dense_affinity},
          {"psa", "inline code", "infer_aff", random_walk}};
}

}  // namespace seedbed::testing
