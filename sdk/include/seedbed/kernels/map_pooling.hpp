#pragma once

#include <cstdint>
#include <string>

#include <ATen/core/Tensor.h>

#include "seedbed/export.hpp"

namespace seedbed::kernels {

/// How class maps become image-level scores:
///   gap       mean over the cells
///   gmp       maximum
///   gwrp      mean of the cells by falling value, weighted rank_decay^rank (Kolesnikov and Lampert, Seed, expand and
///             constrain, ECCV 2016, equation 5: 0.996 for classes, 0.999 for the background)
///   top_k     mean of the top_cells highest (all of them on a smaller map)
///   softmax   sum of value * softmax(value / temperature) over the cells
struct MapPooling {
  std::string rule = "gap";
  double rank_decay = 0.996;   ///< 0 is the maximum, 1 the mean
  std::int64_t top_cells = 6;  ///< >= 1
  double temperature = 1.0;    ///< > 0
};

/// [N,C,h,w] float32 with at least one cell -> [N,C]. Throws: UserError for an unknown rule. Threads: [any-thread].
/// Gradient: kept.
SEEDBED_API at::Tensor pool_maps(const at::Tensor& maps_nchw, const MapPooling& pooling);

}  // namespace seedbed::kernels
