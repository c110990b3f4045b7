#pragma once

#include <cstdint>

#include <ATen/core/Tensor.h>

#include "seedbed/export.hpp"

namespace seedbed::kernels {

/// The dense CRF that SEC and DSRG run inside a training step, on the grid of the logits. Defaults: the settings of SEC's
/// layer (kolesman/SEC, `pylayers/pylayers/pylayers.py`): those of its final CRF with widths in pixels divided by 12,
/// and the names of the refiner `dense_crf`.
struct CrfLayer {
  std::int64_t iterations = 10;
  double gauss_sigma = 3.0 / 12.0;
  double gauss_weight = 3.0;
  double bilateral_xy = 80.0 / 12.0;
  double bilateral_rgb = 13.0;
  double bilateral_weight = 10.0;
};

/// Marginals [N,K,h,w] float32 that sum to 1 over the planes. The unary energy is the negated score: SEC hands over
/// logits, DSRG probabilities, which span no more than 1, so that the image counts for far more.
/// `images_nhwc`: [N,h,w,3] uint8 of the scores' size (see image_on_grid). Gradient: none. Threads: [any-thread];
/// images of a batch run beside each other. Throws: ContractError where sizes differ.
SEEDBED_API at::Tensor crf_layer(const at::Tensor& scores_nkhw, const at::Tensor& images_nhwc, const CrfLayer& layer);

/// Images [N,H,W,3] uint8 on a grid of h x w cells: bilinear between aligned corners, rounded. The release zooms by
/// spline order 1, which is the same grid; that it rounds is our choice.
SEEDBED_API at::Tensor image_on_grid(const at::Tensor& images_nhwc, std::int64_t height, std::int64_t width);

}  // namespace seedbed::kernels
