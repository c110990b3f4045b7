#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include <ATen/core/Tensor.h>

#include "dataset/dataset.hpp"

namespace seedbed::images {

/// The side input that data sets with boxes have without declaring it; a declared one of this name is read from files.
inline constexpr std::string_view kBoxesSide = "boxes";

/// Boxes as a label map [H,W] uint8: each pixel whose middle lies in a box has that box's label, the smallest box's where
/// several lie over each other (the later one's of equal ones); 0 beside boxes, 255 where only boxes of crowds are.
/// Threads: [any-thread].
at::Tensor box_map(const std::vector<dataset::Box>& boxes, std::int64_t height_px, std::int64_t width_px);

}  // namespace seedbed::images
