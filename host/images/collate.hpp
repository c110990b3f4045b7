#pragma once

#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "images/augmentation.hpp"
#include "seedbed/backbone.hpp"
#include "seedbed/trainable.hpp"

namespace seedbed::images {

/// One image's part of a batch.
struct BatchItem {
  std::string image_id;
  Sample sample;
  at::Tensor present_c;  ///< [C] bool; undefined where image labels are not wanted
};

/// Puts samples side by side, padded to the largest at the bottom and the right. Requires: at least one item; all with
/// the same parts.
ViewBatch collate(const std::vector<BatchItem>& items, const Normalisation& normalisation, bool raw_images);

}  // namespace seedbed::images
