#include "branches.hpp"

#include <algorithm>
#include <numeric>
#include <string>

#include <ATen/ATen.h>

#include "seedbed/error.hpp"
#include "seedbed/kernels/resize.hpp"

namespace seedbed::random_walk_irn {
namespace {

constexpr std::int64_t kChannelsOfGroup = 8, kMostGroups = 16;

std::int64_t groups_of(std::int64_t width) {
  return std::gcd(width, std::clamp<std::int64_t>(width / kChannelsOfGroup, 1, kMostGroups));
}

std::shared_ptr<Conv2d> convolution(std::int64_t in_channels, std::int64_t out_channels, bool bias,
                                    const at::Generator& generator) {
  return std::make_shared<Conv2d>(Conv2dOptions{.in_channels = in_channels, .out_channels = out_channels, .bias = bias},
                                  generator);
}

std::string numbered(std::size_t i) { return "tap_" + std::to_string(i + 1); }

}  // namespace

Projection::Projection(std::int64_t in_channels, std::int64_t out_channels, const at::Generator& generator)
    : conv_(register_module("conv", convolution(in_channels, out_channels, false, generator))),
      norm_(register_module("norm", std::make_shared<GroupNorm>(groups_of(out_channels), out_channels))) {}

at::Tensor Projection::forward(const at::Tensor& input_nchw, std::int64_t height, std::int64_t width) const {
  at::Tensor projected = norm_->forward(conv_->forward(input_nchw));
  if (projected.size(2) != height || projected.size(3) != width) {
    projected = kernels::resize_maps(projected, height, width, /*align_corners=*/false);
  }
  return projected.relu();
}

BoundaryBranch::BoundaryBranch(const std::vector<TapInfo>& taps, std::int64_t width, const at::Generator& generator) {
  for (std::size_t i = 0; i < taps.size(); ++i) {
    projections_.push_back(
        register_module(numbered(i), std::make_shared<Projection>(taps[i].channels, width, generator)));
  }
  const auto joined = static_cast<std::int64_t>(taps.size()) * width;
  out_ = register_module("out", convolution(joined, 1, true, generator));
}

at::Tensor BoundaryBranch::forward(const std::vector<at::Tensor>& features) const {
  std::vector<at::Tensor> parts;
  for (std::size_t i = 0; i < projections_.size(); ++i) {
    parts.push_back(projections_[i]->forward(features[i], features.front().size(2), features.front().size(3)));
  }
  return out_->forward(at::cat(parts, 1));
}

DisplacementBranch::DisplacementBranch(const std::vector<TapInfo>& taps, const std::vector<std::int64_t>& widths,
                                       std::int64_t coarse_taps, std::int64_t hidden_width,
                                       const at::Generator& generator) {
  if (widths.size() != taps.size()) {
    throw UserError("displacement_widths",
                    "each tap has a width: `" + std::to_string(taps.size()) + "` taps, `" +
                        std::to_string(widths.size()) + "` widths",
                    "as many `displacement_widths` as `taps`, or displacement = false");
  }
  if (coarse_taps > static_cast<std::int64_t>(taps.size())) {
    throw UserError("coarse_taps", "there are fewer taps: `" + std::to_string(taps.size()) + "`",
                    "at most as many `coarse_taps` as `taps`");
  }
  fine_taps_ = taps.size() - static_cast<std::size_t>(coarse_taps);
  std::int64_t fine_width = 0, coarse_width = 0;
  for (std::size_t i = 0; i < taps.size(); ++i) {
    projections_.push_back(
        register_module(numbered(i), std::make_shared<Projection>(taps[i].channels, widths[i], generator)));
    (i < fine_taps_ ? fine_width : coarse_width) += widths[i];
  }
  coarse_ = register_module("coarse", std::make_shared<Projection>(coarse_width, hidden_width, generator));
  joined_ = register_module("joined", std::make_shared<Projection>(fine_width + hidden_width, hidden_width, generator));
  out_ = register_module("out", convolution(hidden_width, 2, false, generator));
}

at::Tensor DisplacementBranch::forward(const std::vector<at::Tensor>& features) const {
  const std::int64_t height = features.front().size(2), width = features.front().size(3);
  std::vector<at::Tensor> fine, coarse;
  for (std::size_t i = 0; i < projections_.size(); ++i) {
    const bool is_fine = i < fine_taps_;
    const at::Tensor& like = is_fine ? features.front() : features[fine_taps_];
    (is_fine ? fine : coarse).push_back(projections_[i]->forward(features[i], like.size(2), like.size(3)));
  }
  fine.push_back(coarse_->forward(at::cat(coarse, 1), height, width));
  return out_->forward(joined_->forward(at::cat(fine, 1), height, width));
}

}  // namespace seedbed::random_walk_irn
