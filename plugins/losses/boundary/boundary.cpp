#include "boundary.hpp"

#include <ATen/ATen.h>

#include "boundary_targets.hpp"
#include "seedbed/backbone.hpp"
#include "seedbed/error.hpp"

namespace seedbed::boundary {
namespace {

std::int64_t channels_of(const Backbone& backbone, const std::string& name) {
  const TapInfo tap = find_tap(backbone, name);
  if (!tap.is_sequence) return tap.channels;
  throw UserError("side_taps", "boundaries are seen on maps, and this tap is a sequence: `" + name + "`",
                  "taps with a map");
}

// Logistic loss of each class's map; boundaries are rare, so each image's weigh as much as all that is none.
at::Tensor edge_loss(const at::Tensor& logits_nchw, const at::Tensor& targets_nchw, const at::Tensor& known_n1hw) {
  const at::Tensor edges = (targets_nchw * known_n1hw).sum({1, 2, 3}, /*keepdim=*/true);
  const auto num_classes = static_cast<double>(targets_nchw.size(1));
  const at::Tensor rest = known_n1hw.sum({1, 2, 3}, /*keepdim=*/true) * num_classes - edges;
  const at::Tensor weight = (rest / edges.clamp_min(1)).clamp_min(1);
  const at::Tensor surprise =
      at::binary_cross_entropy_with_logits(logits_nchw, targets_nchw, {}, {}, at::Reduction::None);
  const at::Tensor weighted = surprise * (1 + (weight - 1) * targets_nchw);
  const at::Tensor counted = weighted.masked_fill(known_n1hw.logical_not(), 0);
  return counted.sum() / (known_n1hw.sum() * num_classes).clamp_min(1);
}

}  // namespace

Boundary::Boundary(const BoundaryParameters& parameters, const ModelContext& context)
    : parameters_(parameters), num_classes_(context.num_classes()) {
  if (!context.backbone) {
    throw ContractError("host", "the loss `boundary` is given the backbone whose taps it reads", "a backbone", "none");
  }
  if (parameters_.side_taps.empty()) throw UserError("side_taps", "no side tap is named", "one tap at least");
  const at::Generator generator = context.run->generator();
  for (std::size_t i = 0; i < parameters_.side_taps.size(); ++i) {
    sides_.push_back(register_module(
        "side" + std::to_string(i),
        std::make_shared<SideLayer>(channels_of(*context.backbone, parameters_.side_taps[i]), 1, generator)));
  }
  classes_ = register_module(
      "classes",
      std::make_shared<SideLayer>(channels_of(*context.backbone, parameters_.class_tap), num_classes_, generator));
  fuse_ = register_module(
      "fuse",
      std::make_shared<Conv2d>(Conv2dOptions{.in_channels = num_classes_ * static_cast<std::int64_t>(1 + sides_.size()),
                                             .out_channels = num_classes_,
                                             .groups = num_classes_},
                               generator));
}

std::vector<std::string> Boundary::needs() const {
  std::vector<std::string> needs{"target"};
  for (const std::string& tap : parameters_.side_taps) needs.push_back("tap:" + tap);
  needs.push_back("tap:" + parameters_.class_tap);
  return needs;
}

at::Tensor Boundary::compute(const LossRequest& request) {
  const at::Tensor& labels = request.target_nhw;
  const std::int64_t height = labels.size(1), width = labels.size(2);
  const at::Tensor classes = classes_->forward(request.taps.at(parameters_.class_tap), height, width);
  // Groups of a convolution are runs of channels: each class's own map, then the side maps.
  std::vector<at::Tensor> groups{classes.unsqueeze(2)};
  for (std::size_t i = 0; i < sides_.size(); ++i) {
    const at::Tensor side = sides_[i]->forward(request.taps.at(parameters_.side_taps[i]), height, width);
    groups.push_back(side.unsqueeze(2).expand({-1, num_classes_, -1, -1, -1}));
  }
  const at::Tensor fused = fuse_->forward(at::cat(groups, 2).flatten(1, 2));
  const at::Tensor targets = boundary_targets(labels, num_classes_, parameters_.radius);
  const at::Tensor known = known_pixels(labels, parameters_.ignore_margin).unsqueeze(1);
  return edge_loss(fused, targets, known) + edge_loss(classes, targets, known);
}

}  // namespace seedbed::boundary
