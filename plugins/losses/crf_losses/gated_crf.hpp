#pragma once

#include <cstdint>
#include <vector>

#include <ATen/core/Tensor.h>

namespace seedbed::crf_losses {

/// One Gaussian of position and, where sigma_rgb is above 0, of colour.
struct GatedKernel {
  double weight = 1.0;
  double sigma_xy = 6.0;   ///< in cells
  double sigma_rgb = 0.0;  ///< of colours in 0..1; 0 leaves colour out
};

struct GatedCrf {
  std::vector<GatedKernel> kernels;
  std::int64_t radius = 5;                ///< neighbours lie within a square of 2 radius + 1 cells
  bool counts_border_as_released = true;  ///< see gated_crf()
};

/// sum_i D_i sum_j S_j k_ij (1 - y_i . y_j) / sum_i D_i over the neighbours j of each cell i, i itself left out (Obukhov et
/// al., Gated CRF loss, 2019, equation 3). `probabilities_nkhw` (y): [N,K,h,w]; `colours_nchw`: [N,3,h,w] in 0..1;
/// `source_nhw` (S) and `destination_nhw` (D): [N,h,w] in 0..1, undefined = 1 everywhere. 0 where D is 0 everywhere.
/// The release gives a neighbour outside the image colour 0 and place (0, 0), so without S it adds a constant to the
/// value, which `counts_border_as_released` keeps. Gradient: to the probabilities. Threads: [any-thread].
at::Tensor gated_crf(const at::Tensor& probabilities_nkhw, const at::Tensor& colours_nchw, const at::Tensor& source_nhw,
                     const at::Tensor& destination_nhw, const GatedCrf& crf);

}  // namespace seedbed::crf_losses
