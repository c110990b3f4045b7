#pragma once

#include <ATen/core/Tensor.h>

#include "seedbed/export.hpp"

namespace seedbed {

enum class Activation { none, relu, relu6 };

namespace kernels {

/// Whether channel_affine() takes a map: [N,C,h,w] float32 on the CPU, without gaps, contiguous or channels last.
SEEDBED_API bool takes_channel_affine(const at::Tensor& map_nchw);

/// activation(input * scale + shift + addend), one scale and one shift a channel, in one pass over memory: batch norm on
/// stored statistics, a shortcut and ReLU at the price of one of them.
///
/// Requires: takes_channel_affine(input_nchw); scale_c, shift_c [C] float32; `addend_nchw` undefined or of the input's
///           shape (any strides). Ensures: NaN stays NaN.
/// `output_nchw`: of the input's shape and strides, `input_nchw` itself where that is no longer needed.
/// Threads: [any-thread], parallel inside; the same numbers for any number of threads. Gradient: none.
/// Throws: ContractError for other tensors.
SEEDBED_API void channel_affine(const at::Tensor& input_nchw, const at::Tensor& scale_c, const at::Tensor& shift_c,
                                const at::Tensor& addend_nchw, Activation activation, const at::Tensor& output_nchw);

}  // namespace kernels
}  // namespace seedbed
