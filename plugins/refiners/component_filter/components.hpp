#pragma once

#include <cstdint>
#include <vector>

#include <ATen/core/Tensor.h>

#include "seedbed/types.hpp"

namespace seedbed::component_filter {

enum class Neighbours { sides, sides_and_corners };

/// What is left of each class.
struct ComponentRule {
  std::int64_t min_area_px = 0;
  bool largest_only = false;
  Neighbours neighbours = Neighbours::sides_and_corners;
  std::int64_t replacement = kBackgroundLabel;  ///< of pixels whose region goes
};

/// Areas in pixels of the connected regions of `mask_hw` ([H,W] bool), the largest first. Threads: [any-thread].
std::vector<std::int64_t> component_areas(const at::Tensor& mask_hw, Neighbours neighbours);

/// `labels_hw` ([H,W] uint8) where regions of a class that the rule does not keep have its replacement. Background, 254 and
/// 255 stay. Of equally large regions the one whose first pixel comes first in reading order is the largest.
/// Threads: [any-thread].
at::Tensor filter_components(const at::Tensor& labels_hw, const ComponentRule& rule);

}  // namespace seedbed::component_filter
