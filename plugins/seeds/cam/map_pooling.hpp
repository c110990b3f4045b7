#pragma once

#include <ATen/core/Tensor.h>

#include "cam_manifest.hpp"

namespace seedbed::cam {

/// Class maps to class scores, [N,C,h,w] -> [N,C], as `pooling` says. Gradient: kept.
at::Tensor pool_maps(const at::Tensor& maps_nchw, const CamParameters& parameters);

}  // namespace seedbed::cam
