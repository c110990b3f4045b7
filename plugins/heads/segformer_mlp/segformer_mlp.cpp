#include "segformer_mlp.hpp"

#include <set>

#include <ATen/ATen.h>

#include "seedbed/error.hpp"
#include "seedbed/kernels/resize.hpp"
#include "seedbed/map_tap.hpp"

namespace seedbed::segformer_mlp {

SegformerMlp::SegformerMlp(const SegformerMlpParameters& parameters, const ModelContext& context)
    : parameters_(parameters) {
  const at::Generator generator = context.run->generator();
  const std::int64_t width = parameters_.width;
  std::set<std::string> seen;
  for (const std::string& tap : parameters_.taps) {
    if (!seen.insert(tap).second) throw UserError("taps", "a tap is merged once: `" + tap + "`", "each tap once");
    const std::int64_t channels = find_map_tap(*context.backbone, tap, "taps").channels;
    const auto group = register_module("linear_c" + std::to_string(seen.size()), std::make_shared<NamedModules>());
    projections_.push_back(
        group->register_module("proj", std::make_shared<Linear>(channels, width, /*with_bias=*/true, generator)));
  }
  const auto fuse = register_module("linear_fuse", std::make_shared<NamedModules>());
  const auto num_taps = static_cast<std::int64_t>(projections_.size());
  fuse_ = fuse->register_module(
      "conv", std::make_shared<Conv2d>(
                  Conv2dOptions{.in_channels = num_taps * width, .out_channels = width, .bias = false}, generator));
  norm_ = fuse->register_module("bn", std::make_shared<BatchNorm2d>(width));
  dropout_ = register_module("dropout", std::make_shared<Dropout>(parameters_.dropout, /*whole_channels=*/true));
  classifier_ = register_module(
      "linear_pred", std::make_shared<Conv2d>(
                         Conv2dOptions{.in_channels = width, .out_channels = context.output_channels}, generator));
}

// Projection and merging convolution are linear, and resizing mixes cells alone, so all three may change places: each tap
// is projected and merged where it is small by one matrix, and only the sum is large.
at::Tensor SegformerMlp::merged(const NamedTensors& taps) const {
  const at::Tensor& first = taps.at(parameters_.taps.front());
  const std::int64_t width = parameters_.width;
  const at::Tensor fuse = fuse_->weight.flatten(1);
  at::Tensor sum;
  for (std::size_t i = 0; i < projections_.size(); ++i) {
    const auto place = static_cast<std::int64_t>(projections_.size() - 1 - i);
    const at::Tensor share = fuse.narrow(1, place * width, width);
    const at::Tensor weight = share.matmul(projections_[i]->weight);
    const at::Tensor bias = share.mv(projections_[i]->bias);
    const at::Tensor part = at::conv2d(taps.at(parameters_.taps[i]), weight.unsqueeze(2).unsqueeze(3), bias);
    const at::Tensor resized = kernels::resize_maps(part, first.size(2), first.size(3), /*align_corners=*/false);
    sum = sum.defined() ? sum.add_(resized) : resized;
  }
  return sum;
}

HeadResult SegformerMlp::forward(const HeadRequest& request) {
  const at::Tensor hidden = normed_and_rectified(*norm_, merged(request.taps));
  return {.logits_nkhw = classifier_->forward(dropout_->forward(hidden, request.run->generator())),
          .auxiliary_logits = {}};
}

}  // namespace seedbed::segformer_mlp
