#pragma once

#include <cstdint>
#include <memory>

#include <ATen/core/Generator.h>
#include <ATen/core/Tensor.h>

#include "seedbed/export.hpp"
#include "seedbed/normed_convolution.hpp"

namespace seedbed {

/// A 3x3 convolution with batch norm and ReLU, dropout, and a 1x1 classifier: the auxiliary output of PSPNet (Zhao et al.,
/// CVPR 2017, section 3.3) and of what followed it. State names are torchvision's `FCNHead`: 0.*, 1.*, 4.*.
///
/// Threads: [one-at-a-time].
class SEEDBED_API FcnClassifier : public NamedModules {
 public:
  FcnClassifier(std::int64_t in_channels, std::int64_t width, std::int64_t out_channels, double dropout,
                const at::Generator& generator);

  /// [N,D,h,w] -> [N,K,h,w]; dropout draws from `generator`. Throws: UserError as normed_and_rectified() does.
  at::Tensor forward(const at::Tensor& map_nchw, const at::Generator& generator) const;

 private:
  NormedConvolution hidden_;
  std::shared_ptr<Dropout> dropout_;
  std::shared_ptr<Conv2d> classifier_;
};

}  // namespace seedbed
