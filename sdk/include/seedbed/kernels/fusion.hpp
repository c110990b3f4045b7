#pragma once

#include <cstdint>
#include <vector>

#include <ATen/core/Tensor.h>

#include "seedbed/export.hpp"
#include "seedbed/fusion_plan.hpp"
#include "seedbed/types.hpp"

namespace seedbed::kernels {

/// Raw evidence of one image in one view.
struct ViewMaps {
  at::Tensor maps_chw;  ///< [C,h,w] float32
  View view;
};

/// Runs a fusion plan over the views of one image.
///
/// Requires: at least one view; all of one image; equal C. `present_c` [C] bool, or undefined (then mask_present is a
///           UserError).
/// Ensures:  [C,h,w] float32. Scales are merged in the order given; a flipped view follows its unflipped one.
/// Throws:   UserError where the list leaves more than one map, or merges views of different sizes.
/// Threads:  [any-thread]. Gradient: none.
SEEDBED_API at::Tensor fuse_views(std::vector<ViewMaps> views, const FusionPlan& plan, const at::Tensor& present_c);

/// Normalises each class map by itself: "max" v / (max + eps); "minmax" clamped; "minmax_released" SEAM's form
/// without clamp; "max_sqrt"; "shift_max" subtracts the minimum first (ToCo). [C,h,w] -> [C,h,w], eps 1e-5.
SEEDBED_API at::Tensor normalise_maps(const at::Tensor& maps_chw, std::string_view rule);

}  // namespace seedbed::kernels
