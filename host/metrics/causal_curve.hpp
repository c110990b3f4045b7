#pragma once

#include <cstdint>
#include <vector>

#include <ATen/core/Tensor.h>

// Insertion and deletion (Petsiuk et al., BMVC 2018, RISE, section 3.3): how a network's score of a class moves when an
// image's pixels appear, or vanish, in the order of the class's map. What is here needs no network: the order, the
// images to show, and the number that the scores give.
namespace seedbed::metrics {

enum class CausalMetric {
  deletion,  ///< from the image to the baseline; small areas are good
  insertion  ///< from the baseline to the image; large areas are good
};

/// Pixels from the largest value down, equal ones in row-major order: [H W] int64 indices. Requires: [H,W] floating.
at::Tensor pixels_by_value(const at::Tensor& map_hw);

/// The images to show: image and baseline [C,H,W] of one type, steps + 1 of them, each `pixels_per_step` pixels further
/// (the last may be fewer), end included: [steps + 1,C,H,W]. Throws: ContractError for shapes that do not fit.
at::Tensor causal_images(const at::Tensor& image_chw, const at::Tensor& baseline_chw, const at::Tensor& order,
                         std::int64_t pixels_per_step, CausalMetric metric);

/// Area under scores at equal steps over [0,1], by trapezoids. Throws: ContractError for fewer than two scores.
double causal_area(const std::vector<double>& scores);

}  // namespace seedbed::metrics
