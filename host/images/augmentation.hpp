#pragma once

#include <cstdint>
#include <map>
#include <string>

#include <ATen/core/Tensor.h>

#include "dataset/augmentation_spec.hpp"
#include "dataset/random_stream.hpp"

namespace seedbed::images {

/// Rows [top, bottom), columns [left, right).
struct PixelBox {
  std::int64_t top = 0;
  std::int64_t left = 0;
  std::int64_t bottom = 0;
  std::int64_t right = 0;
  bool operator==(const PixelBox&) const = default;
};

/// One image and everything that moves with it; all of one height and width.
struct Sample {
  at::Tensor image_hwc;                    ///< [H,W,3] uint8 RGB
  at::Tensor target_hw;                    ///< [H,W] uint8 labels; undefined where there is none
  std::map<std::string, at::Tensor> side;  ///< [H,W] uint8 each
  PixelBox valid;                          ///< where real pixels are; the rest is padding
};

/// A sample whose valid box is the whole image.
Sample make_sample(at::Tensor image_hwc, at::Tensor target_hw = {}, std::map<std::string, at::Tensor> side = {});

/// Images and side inputs are resized as PIL does (bicubic and bilinear), targets by nearest. Padding is 0 in the
/// image and side inputs, 255 in the target; normalising sets the padding of the network's input to 0.
Sample resize_sample(const Sample& sample, dataset::Extent extent);

/// Runs the steps in order. The stream decides alone: equal stream and sample give equal results.
/// Threads: [any-thread].
Sample augment_sample(Sample sample, const dataset::Augmentation& augmentation, dataset::RandomStream& random);

/// The image at the size of a network's input; bicubic as PIL. [H,W,3] uint8.
at::Tensor resize_input(const at::Tensor& image_hwc, const dataset::InputSize& size, double scale = 1.0);

/// Mirrored left to right, contiguous. [H,W,3] or [H,W].
at::Tensor mirror_image(const at::Tensor& image_hwc);

}  // namespace seedbed::images
