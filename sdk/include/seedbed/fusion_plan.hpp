#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "seedbed/export.hpp"

namespace seedbed {

/// One step of a fusion list, e.g. `merge_flip:sum` is {merge_flip, sum}.
struct FusionStep {
  std::string operation;
  std::string argument;

  bool operator==(const FusionStep&) const = default;
};

/// The ordered list that turns raw class evidence per view into one score map per image. The order differs between
/// methods (IRN, ToCo, DRS) and is part of the result, so it is written out and never implied.
///
/// Operations (a closed set):
///   relu, sigmoid, sqrt                    element by element
///   unflip                                 mirrors the views that saw a mirrored image
///   merge_flip:sum|max|mean                joins the two views of one scale
///   resize:ceil16_crop|image|grid4|largest bilinear, half-pixel centres; ceil16_crop resizes to the next multiple
///                                          of 16 and crops (IRN); grid4 is ceil(H/4) x ceil(W/4)
///   resize_corners:image|largest           the same with corners aligned (DRS)
///   merge_scales:sum|max|mean              joins the scales
///   mask_present                           zero for classes that the image label does not name
///   normalise:max|minmax|minmax_released|max_sqrt|shift_max   per class and image; eps 1e-5
///   clamp01                                to [0,1]
struct FusionPlan {
  std::vector<FusionStep> steps;

  bool operator==(const FusionPlan&) const = default;
};

/// Parses a list. Throws: UserError naming the first wrong step, with the nearest legal one.
SEEDBED_API FusionPlan fusion_plan_from(const std::vector<std::string>& steps);

/// A named list: "irn", "psa", "seam", "drs", "toco", "plain". Throws: UserError with the nearest name.
SEEDBED_API FusionPlan named_fusion_plan(std::string_view name);

SEEDBED_API const std::vector<std::string>& fusion_plan_names();

SEEDBED_API std::vector<std::string> to_strings(const FusionPlan& plan);

}  // namespace seedbed
