// IRN: paths, training pairs and losses, the walk between boundaries, the final label.
#include <map>

#include <ATen/ATen.h>

#include "boundary_paths.hpp"
#include "irn_losses.hpp"
#include "random_walk_irn.hpp"
#include "runners.hpp"
#include "seedbed/kernels/random_walk.hpp"

namespace seedbed::testing {
namespace {

using kernels::CellOffset;

at::Tensor as_tensor(const std::vector<std::int64_t>& values, at::IntArrayRef shape) {
  return at::tensor(values, at::kLong).view(shape);
}

at::Tensor cell_numbers(std::int64_t height, std::int64_t width) {
  return at::arange(height * width, at::kLong).view({1, 1, height, width});
}

NamedTensors paths(const Golden&) {
  constexpr std::int64_t kRadius = 5;
  const std::vector<random_walk_irn::BoundaryPath> paths = random_walk_irn::boundary_paths(kRadius);
  std::vector<std::int64_t> destinations, cells, lengths, counts;
  std::map<std::int64_t, std::int64_t> by_length;
  for (const auto& path : paths) {
    destinations.insert(destinations.end(), {path.offset.dy, path.offset.dx});
    for (const CellOffset& cell : path.cells) cells.insert(cells.end(), {cell.dy, cell.dx});
    ++by_length[static_cast<std::int64_t>(path.cells.size())];
  }
  for (const auto& [length, count] : by_length) {
    lengths.push_back(length);
    counts.push_back(count);
  }
  const at::Tensor numbers = cell_numbers(kRadius + 6, 2 * kRadius + 5);
  const kernels::SourceCells sources = kernels::sources_within(kRadius + 6, 2 * kRadius + 5, kRadius);
  std::vector<at::Tensor> beside;
  for (const auto& path : paths) beside.push_back(kernels::at_sources(numbers, sources, path.offset)[0]);
  return {{"destinations_r5", as_tensor(destinations, {-1, 2})},
          {"path_lengths_r5", as_tensor(lengths, {-1})},
          {"path_counts_r5", as_tensor(counts, {-1})},
          {"paths_flat_r5", as_tensor(cells, {-1})},
          {"src_indices_r5", kernels::at_sources(numbers, sources)[0][0]},
          {"dst_indices_r5", at::cat(beside)}};
}

struct Pairs {
  std::vector<random_walk_irn::BoundaryPath> paths;
  kernels::SourceCells sources;
  kernels::PairTargets targets;
};

Pairs pairs_of(const Golden& golden) {
  constexpr std::int64_t kReleasedLabels = 21;
  const auto radius = static_cast<std::int64_t>(golden.number("radius"));
  const at::Tensor labels = golden.input("labels").unsqueeze(0);
  Pairs pairs{
      random_walk_irn::boundary_paths(radius), kernels::sources_within(labels.size(1), labels.size(2), radius), {}};
  pairs.targets =
      kernels::pair_targets(labels, random_walk_irn::offsets_of(pairs.paths), pairs.sources, kReleasedLabels);
  return pairs;
}

NamedTensors affinity_labels(const Golden& golden) {
  const kernels::PairTargets targets = pairs_of(golden).targets;
  return {{"bg_pos", targets.background_nos[0].to(at::kFloat)},
          {"fg_pos", targets.foreground_nos[0].to(at::kFloat)},
          {"neg", targets.different_nos[0].to(at::kFloat)}};
}

NamedTensors losses(const Golden& golden) {
  const Pairs pairs = pairs_of(golden);
  const at::Tensor logits = golden.input("edge_logits").clone().set_requires_grad(true);
  const at::Tensor displacement = golden.input("displacement").clone().set_requires_grad(true);
  const at::Tensor boundary = logits.squeeze(1).sigmoid();
  const random_walk_irn::IrnLosses found =
      random_walk_irn::irn_losses(boundary, displacement, pairs.paths, pairs.sources, pairs.targets);
  const at::Tensor loss =
      (found.positive + found.negative) / 2 + (found.displacement_foreground + found.displacement_background) / 2;
  loss.backward();
  const auto scalar = [](const at::Tensor& value) { return value.detach().view({1}); };
  return {{"affinity", random_walk_irn::affinities_at_sources(boundary.detach(), pairs.paths, pairs.sources)},
          {"loss", scalar(loss)},
          {"pos", scalar(found.positive)},
          {"neg", scalar(found.negative)},
          {"dp_fg", scalar(found.displacement_foreground)},
          {"dp_bg", scalar(found.displacement_background)},
          {"dedge", logits.grad()},
          {"ddisplacement", displacement.grad()}};
}

/// The symmetric matrix with a diagonal of 1 that affinities [O,h,w] stand for.
at::Tensor dense(const at::Tensor& affinities_ohw, const std::vector<CellOffset>& offsets) {
  const std::int64_t height = affinities_ohw.size(1), width = affinities_ohw.size(2);
  at::Tensor matrix = at::eye(height * width);
  for (std::size_t o = 0; o < offsets.size(); ++o) {
    for (std::int64_t y = 0; y + offsets[o].dy < height; ++y) {
      for (std::int64_t x = 0; x < width; ++x) {
        const std::int64_t to = x + offsets[o].dx;
        if (to < 0 || to >= width) continue;
        const std::int64_t i = y * width + x, j = (y + offsets[o].dy) * width + to;
        matrix[i][j] = matrix[j][i] = affinities_ohw[static_cast<std::int64_t>(o)][y][x];
      }
    }
  }
  return matrix;
}

NamedTensors transition(const Golden& golden) {
  const auto radius = static_cast<std::int64_t>(golden.number("radius"));
  const double beta = golden.number("beta");
  const auto paths = random_walk_irn::boundary_paths(radius);
  const auto offsets = random_walk_irn::offsets_of(paths);
  const at::Tensor edge = golden.input("edge");
  const at::Tensor affinities = random_walk_irn::affinities_between(edge[0], paths);
  // The release pads by 1 and then has edges to the padding too, all of them 0.
  const at::Tensor padded = at::constant_pad_nd(edge, {radius, radius, 0, radius}, 1.0);
  const auto sources = kernels::sources_within(padded.size(1), padded.size(2), radius);
  // A row of T^n is where a walk of n steps takes a map of one cell.
  const std::int64_t height = edge.size(1), width = edge.size(2);
  const at::Tensor cells = at::eye(height * width).view({-1, height, width});
  const auto power = [&](std::int64_t log_steps) {
    return kernels::random_walk(cells, affinities, offsets, beta, log_steps).flatten(1);
  };
  return {{"sparse_affinity", random_walk_irn::affinities_at_sources(padded, paths, sources)},
          {"dense_affinity", dense(affinities, offsets)},
          {"transition_t0", power(0)},
          {"transition_t3", power(3)}};
}

NamedTensors walk(const Golden& golden) {
  const auto spread = [&](std::int64_t radius, double beta, std::int64_t log_steps) {
    return random_walk_irn::spread_between_boundaries(golden.input("cam"), golden.input("edge")[0], radius, beta,
                                                      log_steps);
  };
  return {{"r5_b10_t8", spread(5, 10, 8)}, {"r5_b10_t1", spread(5, 10, 1)}, {"r4_b5_t3", spread(4, 5, 3)}};
}

NamedTensors semantic_label(const Golden& golden) {
  constexpr std::int64_t kFactor = 4;
  const std::vector<double> size = golden.numbers("image_size");
  const auto up = [&](bool by_plane) {
    return random_walk_irn::at_image(golden.input("rw").squeeze(1), kFactor, kFactor,
                                     static_cast<std::int64_t>(size[0]), static_cast<std::int64_t>(size[1]), by_plane);
  };
  const auto label = [&](const at::Tensor& maps) {
    const at::Tensor background = at::full({1, maps.size(1), maps.size(2)}, golden.number("background"));
    return golden.input("keys")
        .index_select(0, at::cat({background, maps}).argmax(0).flatten())
        .view({maps.size(1), maps.size(2)});
  };
  return {{"rw_up", up(false)}, {"label", label(up(false))}, {"label_class_max", label(up(true))}};
}

}  // namespace

std::vector<GoldenRunner> irn_runners() {
  return {{"irn", "PathIndex", "", paths},
          {"irn", "GetAffinityLabelFromIndices", "", affinity_labels},
          {"irn", "AffinityDisplacementLoss, inline loss", "", losses},
          {"irn", "edge_to_affinity, affinity_sparse2dense, to_transition_matrix", "", transition},
          {"irn", "propagate_to_edge", "", walk},
          {"irn", "inline code", "make_sem_seg_labels", semantic_label}};
}

}  // namespace seedbed::testing
