#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include <ATen/core/Generator.h>
#include <ATen/core/Tensor.h>

#include "seedbed/normed_convolution.hpp"

namespace seedbed::deeplab {

/// The pyramid of DeepLabV3 (arXiv 1706.05587, section 3.3): a 1x1 convolution, dilated 3x3 convolutions and the image's
/// average side by side, each with batch norm and ReLU, merged by a 1x1 convolution, then dropout.
///
/// State names are torchvision's: convs.0.0.*, convs.0.1.* ..., project.0.*, project.1.*.
class AtrousPyramid : public NamedModules {
 public:
  AtrousPyramid(std::int64_t in_channels, std::int64_t width, const std::vector<std::int64_t>& atrous_rates,
                double dropout, const at::Generator& generator);

  /// [N,D,h,w] -> [N,width,h,w]; dropout draws from `generator`. Throws: UserError in training on a single image, whose
  /// average has no statistics.
  at::Tensor forward(const at::Tensor& map_nchw, const at::Generator& generator) const;

 private:
  std::vector<NormedConvolution> branches_;
  NormedConvolution image_branch_;
  NormedConvolution project_;
  std::shared_ptr<Dropout> dropout_;
};

}  // namespace seedbed::deeplab
