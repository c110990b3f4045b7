#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

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

/// What a companion holds, which decides how it is resized, padded and laid into a batch.
enum class CompanionKind {
  grey,    ///< [H,W] uint8: bilinear as PIL, padded with 0
  labels,  ///< [H,W] uint8: nearest as PIL, padded with 255
  scores   ///< [P,H,W] float32: bilinear, antialiased where it shrinks, padded with 0
};

/// One thing that moves with an image.
struct Companion {
  CompanionKind kind = CompanionKind::grey;
  at::Tensor values;
  std::vector<std::int64_t> places;  ///< scores: which plane of a batch each of the P is
  std::int64_t num_planes = 1;       ///< scores: planes of a batch
};

/// How far a sample has come from its image: pixel p of a side shows the image's pixel `scale * p + offset`, counted
/// from the outer corner of the first pixel.
struct SideMap {
  double scale = 1;
  double offset = 0;
  bool operator==(const SideMap&) const = default;
};

/// One image and everything that moves with it. Companions may come in another size than the image's, until the first
/// resize_sample.
struct Sample {
  at::Tensor image_hwc;  ///< [H,W,3] uint8 RGB
  at::Tensor target_hw;  ///< [H,W] uint8 labels; undefined where there is none
  std::map<std::string, Companion> companions;
  PixelBox valid;  ///< where real pixels are; the rest is padding
  SideMap rows;
  SideMap columns;
};

/// A sample whose valid box is the whole image.
Sample make_sample(at::Tensor image_hwc, at::Tensor target_hw = {}, std::map<std::string, Companion> companions = {});

/// The image is resized as `kind` says; targets by nearest, companions as CompanionKind says. What has the size already
/// stays as it is, to the bit.
Sample resize_sample(const Sample& sample, dataset::Extent extent,
                     dataset::ResizeKind kind = dataset::ResizeKind::bicubic);

/// Runs the steps in order. The stream decides alone: equal stream and sample give equal results.
/// Threads: [any-thread].
Sample augment_sample(Sample sample, const dataset::Augmentation& augmentation, dataset::RandomStream& random);

/// The image at the size of a network's input; bicubic as PIL. [H,W,3] uint8.
at::Tensor resize_input(const at::Tensor& image_hwc, const dataset::InputSize& size, double scale = 1.0);

/// Mirrored left to right, contiguous. [H,W,3] or [H,W].
at::Tensor mirror_image(const at::Tensor& image_hwc);

}  // namespace seedbed::images
