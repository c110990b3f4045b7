#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include <ATen/core/Tensor.h>

#include "metrics/confusion.hpp"
#include "metrics/dilation.hpp"

// How well outlines agree. Label maps are [H,W] uint8: truth 0..K-1, 255 void; in predictions labels from K on belong to
// no class. Everything here is [any-thread] and throws ContractError for maps of other types or of two sizes.
namespace seedbed::metrics {

/// What void pixels of the truth do to boundary IoU.
enum class BoundaryVoid {
  cleared,  ///< they leave the masks of both before boundaries are taken: an edge runs along them
  dropped   ///< boundaries are of the masks as they are; void pixels are then not counted
};

/// Width of a boundary: max(1, ratio * diagonal rounded, halves to even).
std::int64_t boundary_width_px(std::int64_t height_px, std::int64_t width_px, double ratio);

/// Counts of boundary pixels by label; iou() of them is boundary IoU (Cheng et al., CVPR 2021, eq. 1), of one image or
/// of sums over images. A label's boundary are its pixels nearer than `width` (chessboard) to what is not of the label;
/// what lies outside the image is not.
LabelCounts boundary_counts(const at::Tensor& truth_hw, const at::Tensor& prediction_hw, std::int64_t num_labels,
                            double ratio, BoundaryVoid void_rule);

/// Tolerance of boundary F: a share of the diagonal, rounded up, or pixels.
struct BoundaryTolerance {
  double ratio = 0.008;  ///< DAVIS's
  std::optional<std::int64_t> pixels;
  std::int64_t in(std::int64_t height_px, std::int64_t width_px) const;
};

/// Boundary F of one image by label, as DAVIS measures it (Perazzi et al., CVPR 2016, section 3.2: F of precision and
/// recall of boundary pixels within the tolerance): 1 where neither has a boundary, 0 where one has none. Void pixels
/// leave both masks. nullopt for labels with a pixel in neither map.
std::vector<std::optional<double>> boundary_f(const at::Tensor& truth_hw, const at::Tensor& prediction_hw,
                                              std::int64_t num_labels, const BoundaryTolerance& tolerance);

/// Which label changes of the truth make a trimap's edges.
enum class TrimapEdges {
  all,     ///< those to and from void too
  classes  ///< between labels only
};

/// The truth with 255 wherever a pixel is farther than `width` from an edge pixel; both pixels beside a change of label
/// (4 neighbours) are edge pixels. Scores over a trimap (Kohli et al., IJCV 2009) are those of any metric on this mask.
at::Tensor trimap_truth(const at::Tensor& truth_hw, std::int64_t width, Distance distance, TrimapEdges edges);

}  // namespace seedbed::metrics
