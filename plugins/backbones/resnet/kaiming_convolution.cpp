#include "kaiming_convolution.hpp"

#include <cmath>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

namespace seedbed::resnet {

std::shared_ptr<Conv2d> kaiming_convolution(Conv2dOptions options, const at::Generator& generator) {
  options.bias = false;
  auto layer = std::make_shared<Conv2d>(options, generator);
  const c10::NoGradGuard no_grad;
  const auto fan_out = static_cast<double>(options.kernel * options.kernel * options.out_channels);
  layer->weight.normal_(0, std::sqrt(2.0 / fan_out), generator);
  return layer;
}

}  // namespace seedbed::resnet
