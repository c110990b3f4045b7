#pragma once

#include <cstdint>

#include <ATen/core/Tensor.h>

#include "seedbed/export.hpp"

// Views of one image laid over each other by `ViewBatch::to_image_n23`.
namespace seedbed::kernels {

/// From points of view `from` to points of view `to`: [N,2,3] float64, both in pixels of their view.
/// Requires: `to_n23` is invertible, which every view of a batch is.
SEEDBED_API at::Tensor view_relation(const at::Tensor& from_n23, const at::Tensor& to_n23);

/// A view as a map of it is laid out.
struct ViewPlane {
  at::Tensor to_image_n23;     ///< of its ViewBatch
  std::int64_t height_px = 0;  ///< of its images
  std::int64_t width_px = 0;
};

/// Maps of `source` as cells of `target` see them: [N,C,h,w] that cover all of source's images -> [N,C,height,width]
/// over all of target's. Bilinear between cell centres, 0 outside of the source. Keeps the graph of the maps.
SEEDBED_API at::Tensor maps_in_view(const at::Tensor& maps_nchw, const ViewPlane& source, const ViewPlane& target,
                                    std::int64_t height, std::int64_t width);

/// Which cells of `target` have their centre inside `source`: [N,1,height,width] bool. Padding counts as inside.
SEEDBED_API at::Tensor covered_in_view(const ViewPlane& source, const ViewPlane& target, std::int64_t height,
                                       std::int64_t width);

}  // namespace seedbed::kernels
