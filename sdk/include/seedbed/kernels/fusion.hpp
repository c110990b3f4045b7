#pragma once

#include <string_view>
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
///           UserError). A view shows the whole image (an empty `covered`) or more of it (padding), never a part: the
///           host joins sliding windows first.
/// Ensures:  [C,h,w] float32. Scales are merged in the order given; a flipped view follows its unflipped one. With
///           mask_present anywhere in the list the result is zero for absent classes, whatever follows it.
/// Throws:   UserError where the list leaves more than one map or a mirrored one, or merges views of different sizes.
/// Threads:  [any-thread]. Gradient: none.
SEEDBED_API at::Tensor fuse_views(std::vector<ViewMaps> views, const FusionPlan& plan, const at::Tensor& present_c);

/// Joins maps of one image that were each fused by `plan`: their sum, normalised by the plan's last `normalise` step. One
/// map is returned as it is. Requires: at least one. Threads: [any-thread]. Gradient: kept.
/// Throws: UserError where several are of different sizes, or the plan does not normalise.
SEEDBED_API at::Tensor join_fused(const std::vector<at::Tensor>& fused_chw, const FusionPlan& plan);

/// Normalises each class map by itself, [C,h,w] -> [C,h,w], eps = 1e-5, r = max(v, 0):
///   max              v / (max r + eps)                                                          (IRN, PSA, DRS)
///   minmax           max(r - min r - eps, 0) / (max r - min r + eps)                            (SEAM's visualisation)
///   minmax_released  as minmax, but small values become 0 before eps is subtracted: not clamped (SEAM's inference)
///   max_sqrt         sqrt(r / (max r + eps))
///   shift_max        s / (max s + eps) with s = v - min v                                       (ToCo)
/// Throws: UserError for an unknown rule. Threads: [any-thread]. Gradient: kept.
SEEDBED_API at::Tensor normalise_maps(const at::Tensor& maps_chw, std::string_view rule);

}  // namespace seedbed::kernels
