#pragma once

#include <memory>
#include <vector>

#include <ATen/core/Generator.h>
#include <ATen/core/Tensor.h>

#include "seedbed/backbone.hpp"
#include "seedbed/layers.hpp"
#include "seedbed/module.hpp"

/// The two heads of IRN (release: net/resnet50_irn.py), over the taps that a study names.
namespace seedbed::random_walk_irn {

/// A 1x1 convolution and a group norm. Parameters: conv.weight (conv.bias is not there), norm.*. Groups are of eight
/// channels and at most 16, as in the release; fewer where a width does not divide so.
class Projection : public Module {
 public:
  Projection(std::int64_t in_channels, std::int64_t out_channels, const at::Generator& generator);

  /// [N,in,h,w] -> [N,out,height,width]: projected, resized (half-pixel centres), ReLU.
  at::Tensor forward(const at::Tensor& input_nchw, std::int64_t height, std::int64_t width) const;

 private:
  std::shared_ptr<Conv2d> conv_;
  std::shared_ptr<GroupNorm> norm_;
};

/// Every tap projected to `width` channels, at the first tap's size, and mixed to one logit a cell.
class BoundaryBranch : public Module {
 public:
  BoundaryBranch(const std::vector<TapInfo>& taps, std::int64_t width, const at::Generator& generator);

  /// features, one a tap [N,D,h,w] -> logits [N,1,h,w] at the first one's size.
  at::Tensor forward(const std::vector<at::Tensor>& features) const;

 private:
  std::vector<std::shared_ptr<Projection>> projections_;
  std::shared_ptr<Conv2d> out_;
};

/// The last `coarse_taps` taps are joined at the size of the first of them, then with the fine ones at the first tap's
/// size; two numbers a cell, rows and columns to the centre of its object.
class DisplacementBranch : public Module {
 public:
  /// Throws: UserError where `widths` are not one a tap or `coarse_taps` is more than there are.
  DisplacementBranch(const std::vector<TapInfo>& taps, const std::vector<std::int64_t>& widths,
                     std::int64_t coarse_taps, std::int64_t hidden_width, const at::Generator& generator);

  /// features, one a tap -> [N,2,h,w] at the first one's size.
  at::Tensor forward(const std::vector<at::Tensor>& features) const;

 private:
  std::size_t fine_taps_;
  std::vector<std::shared_ptr<Projection>> projections_;
  std::shared_ptr<Projection> coarse_;
  std::shared_ptr<Projection> joined_;
  std::shared_ptr<Conv2d> out_;
};

}  // namespace seedbed::random_walk_irn
