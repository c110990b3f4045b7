#include "affinity_head.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "seedbed/kernels/resize.hpp"

namespace seedbed::random_walk_psa {
namespace {

constexpr std::int64_t kChannelsOfGroup = 8;
constexpr double kMixGain = 4.0;  // of the last layer's first weights, network/resnet38_aff.py

std::shared_ptr<Conv2d> convolution(std::int64_t in_channels, std::int64_t out_channels,
                                    const at::Generator& generator) {
  return std::make_shared<Conv2d>(
      Conv2dOptions{.in_channels = in_channels, .out_channels = out_channels, .bias = false}, generator);
}

// The release draws by Kaiming's normal rule, and the last layer by Xavier's uniform one.
void draw_kaiming(Conv2d& layer, const at::Generator& generator) {
  const c10::NoGradGuard no_grad;
  layer.weight.normal_(0, std::sqrt(2.0 / static_cast<double>(layer.weight.size(1))), generator);
}

void draw_xavier(Conv2d& layer, const at::Generator& generator) {
  const c10::NoGradGuard no_grad;
  const double bound = kMixGain * std::sqrt(6.0 / static_cast<double>(layer.weight.size(0) + layer.weight.size(1)));
  layer.weight.uniform_(-bound, bound, generator);
}

at::Tensor alike(const at::Tensor& one, const at::Tensor& other, std::int64_t channel_dim) {
  return (one - other).abs().mean(channel_dim).neg().exp();
}

}  // namespace

AffinityHead::AffinityHead(const std::vector<std::int64_t>& channels, const std::vector<std::int64_t>& widths,
                           bool grouped, const at::Generator& generator) {
  for (std::size_t i = 0; i < channels.size(); ++i) {
    const std::string number = std::to_string(i + 1);
    reductions_.push_back(register_module("tap_" + number, convolution(channels[i], widths[i], generator)));
    draw_kaiming(*reductions_.back(), generator);
    if (!grouped) continue;
    const std::int64_t groups = std::gcd(widths[i], std::max<std::int64_t>(1, widths[i] / kChannelsOfGroup));
    norms_.push_back(register_module("norm_" + number, std::make_shared<GroupNorm>(groups, widths[i])));
  }
  const std::int64_t width = std::accumulate(widths.begin(), widths.end(), std::int64_t{0});
  mix_ = register_module("mix", convolution(width, width, generator));
  draw_xavier(*mix_, generator);
}

at::Tensor AffinityHead::forward(const std::vector<at::Tensor>& features) const {
  const std::int64_t height = features.front().size(2), width = features.front().size(3);
  std::vector<at::Tensor> parts;
  for (std::size_t i = 0; i < reductions_.size(); ++i) {
    at::Tensor part = reductions_[i]->forward(features[i]);
    if (!norms_.empty()) part = norms_[i]->forward(part);
    part = at::elu(part);
    const bool fits = part.size(2) == height && part.size(3) == width;
    parts.push_back(fits ? part : kernels::resize_maps(part, height, width, /*align_corners=*/false));
  }
  return at::elu(mix_->forward(at::cat(parts, 1)));
}

at::Tensor affinities_at_sources(const at::Tensor& features_ndhw, const std::vector<kernels::CellOffset>& offsets,
                                 const kernels::SourceCells& sources) {
  const at::Tensor from = kernels::at_sources(features_ndhw, sources);
  std::vector<at::Tensor> affinities;
  for (const kernels::CellOffset& offset : offsets) {
    affinities.push_back(alike(from, kernels::at_sources(features_ndhw, sources, offset), 1));
  }
  return at::stack(affinities, 1);
}

at::Tensor affinities_between(const at::Tensor& features_dhw, std::int64_t radius, bool all_pairs) {
  const c10::NoGradGuard no_grad;
  const std::vector<kernels::CellOffset> offsets = kernels::half_disc(radius);
  const std::int64_t height = features_dhw.size(1), width = features_dhw.size(2);
  const kernels::SourceCells within = kernels::sources_within(height, width, radius);
  at::Tensor affinities = at::zeros({static_cast<std::int64_t>(offsets.size()), height, width}, features_dhw.options());
  for (std::size_t o = 0; o < offsets.size(); ++o) {
    const auto [dy, dx] = offsets[o];
    const std::int64_t left = all_pairs ? std::max<std::int64_t>(0, -dx) : within.left;
    const std::int64_t columns = all_pairs ? width - std::abs(dx) : within.columns;
    const std::int64_t rows = all_pairs ? height - dy : within.rows;
    if (rows <= 0 || columns <= 0) continue;
    const auto part = [&](std::int64_t y, std::int64_t x) {
      return features_dhw.narrow(1, y, rows).narrow(2, x, columns);
    };
    affinities[static_cast<std::int64_t>(o)]
        .narrow(0, 0, rows)
        .narrow(1, left, columns)
        .copy_(alike(part(0, left), part(dy, left + dx), 0));
  }
  return affinities;
}

}  // namespace seedbed::random_walk_psa
