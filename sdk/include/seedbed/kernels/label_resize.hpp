#pragma once

#include <cstdint>

#include <ATen/core/Tensor.h>

#include "seedbed/export.hpp"

namespace seedbed::kernels {

/// Which pixel gives a cell its label. Of the cell with number i, of `cells` that cover `pixels`:
enum class LabelSampling {
  centres,  ///< the pixel under its centre, at (i + 0.5) pixels / cells: Pillow's NEAREST, which deeplab-pytorch uses
  origins,  ///< the pixel under its first corner, at i pixels / cells: PyTorch's "nearest"
  corners   ///< the one nearest to i (pixels - 1) / (cells - 1): first and last cells show first and last pixels, as in
            ///< Caffe's DeepLab, where cell i lies at pixel 8 i
};

/// Labels at another resolution, each one a label of the input: [N,H,W] -> [N,height,width], of any dtype.
/// Throws: UserError for an empty size; ContractError for other than three dimensions. Threads: [any-thread].
SEEDBED_API at::Tensor resize_labels(const at::Tensor& labels_nhw, std::int64_t height, std::int64_t width,
                                     LabelSampling sampling);

}  // namespace seedbed::kernels
