#pragma once

#include <cstdint>
#include <string_view>

#include <ATen/core/Tensor.h>

/// How affinities between the cells of a grid spread maps. M = h w cells, row by row; row i of a matrix is what cell i
/// attends to. All functions: float32, on any device, gradient none.
namespace seedbed::attention_affinity {

/// CLIP-ES (Lin et al., CVPR 2023, section 3.3): attention [M,M] with columns and then rows divided by their sums, `rounds`
/// times, averaged with its transpose, squared `squarings` times.
at::Tensor balanced(const at::Tensor& attention_mm, std::int64_t rounds, std::int64_t squarings);

/// Cells within the bounding boxes of what stands out in a map [h,w] in 0..1, as [h,w] bool: 8-connected components of
/// floor(255 map) > floor(threshold max). `inclusive` is the whole of the boxes; `reference` is CLIP-ES as released: the
/// far ends are cut to h - 1 and w - 1 and do not belong to the box, so that the last row and column never do.
/// Throws: ContractError for another rule.
at::Tensor evidence_boxes(const at::Tensor& map_hw, double threshold, std::string_view rule);

/// (map - min) / (1e-7 + max of that), of each map [P,h,w]. (pytorch_grad_cam, scale_cam_image)
at::Tensor scaled(const at::Tensor& maps_phw);

/// Each cell the sum over cells of row weight times evidence: transition [M,M] of maps [P,h,w].
at::Tensor gathered(const at::Tensor& maps_phw, const at::Tensor& transition_mm);

/// AFA (Ru et al., CVPR 2022, section 3.3): affinity [M,M] within `radius` rows and columns (0 = everywhere), to the power
/// of `exponent`, each column divided by its sum + epsilon.
at::Tensor windowed(const at::Tensor& affinity_mm, std::int64_t height, std::int64_t width, std::int64_t radius,
                    double exponent, double epsilon);

/// 1 where two cells are at most `radius` rows and columns apart, else 0: [M,M].
at::Tensor window(std::int64_t height, std::int64_t width, std::int64_t radius);

/// Each cell the sum over cells of column weight times evidence.
at::Tensor distributed(const at::Tensor& maps_phw, const at::Tensor& transition_mm);

}  // namespace seedbed::attention_affinity
