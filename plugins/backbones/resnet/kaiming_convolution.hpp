#pragma once

#include <memory>

#include <ATen/core/Generator.h>

#include "seedbed/layers.hpp"

namespace seedbed::resnet {

/// A convolution without bias whose weights are drawn by Kaiming's rule for ReLU over the fan-out, as torchvision draws
/// them.
std::shared_ptr<Conv2d> kaiming_convolution(Conv2dOptions options, const at::Generator& generator);

}  // namespace seedbed::resnet
