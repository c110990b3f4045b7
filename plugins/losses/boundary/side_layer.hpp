#pragma once

#include <cstdint>
#include <memory>

#include <ATen/core/Generator.h>
#include <ATen/core/Tensor.h>

#include "seedbed/layers.hpp"
#include "seedbed/module.hpp"

namespace seedbed::boundary {

/// A side output: 1x1 convolution, batch norm and ReLU on a tap, bilinear enlargement to the image, 3x3 convolution behind
/// a reflected border. Names: conv, norm, refine.
class SideLayer : public Module {
 public:
  SideLayer(std::int64_t in_channels, std::int64_t out_channels, const at::Generator& generator);

  /// [N,D,h,w] -> [N,out,height,width]. Batch statistics in training mode.
  at::Tensor forward(const at::Tensor& tap_ndhw, std::int64_t height, std::int64_t width) const;

 private:
  std::shared_ptr<Conv2d> conv_;
  std::shared_ptr<BatchNorm2d> norm_;
  std::shared_ptr<Conv2d> refine_;
};

}  // namespace seedbed::boundary
