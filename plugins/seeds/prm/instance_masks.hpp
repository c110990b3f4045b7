#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "seedbed/types.hpp"

/// From peak responses to objects (Zhou et al., CVPR 2018, section 3.3; PRM, install/modules/peak_response_mapping.py).
namespace seedbed::prm {

/// One peak and what it responds to, at the image's size.
struct PeakResponse {
  std::int64_t class_id = 0;
  double value = 0;        ///< of the map at the peak
  at::Tensor response_hw;  ///< [H,W] float32, not below zero, of sum 1
};

struct MaskOptions {
  double response_threshold = 0.2;   ///< of a response's maximum: where an object ends without proposals
  std::int64_t smoothing_px = 1;     ///< window that a response is averaged over before; 1 leaves it
  double overlap = 0.3;              ///< instances of one class that overlap more are one
  std::int64_t num_proposals = 100;  ///< the first of an image
  double least_area = 2e-5;          ///< of the image, of a proposal
  double largest_area = 0.85;
  double balance = 0.8;             ///< factor of the response inside of a proposal, beside that on its contour
  double penalty = 1e-5;            ///< for each background pixel inside
  double background_factor = 0.95;  ///< background is where the class map is below this share of its mean
  bool byte_maps = true;            ///< the class map becomes bytes, least to largest, before it is compared
};

/// The average over a window, [H,W]; border windows are smaller.
at::Tensor smoothed(const at::Tensor& response_hw, std::int64_t window_px);

/// Where each response exceeds the threshold; the peak's value is the score.
std::vector<Instance> thresholded(std::vector<PeakResponse> peaks, const MaskOptions& options);

/// For each response the proposal that fits best. proposals_phw [P,H,W] bool, best first; class_maps_chw [C,h,w] response
/// maps of the classes. The fit is the score; a peak without any proposal of a legal size gives no instance.
std::vector<Instance> retrieved(std::vector<PeakResponse> peaks, const at::Tensor& proposals_phw,
                                const at::Tensor& class_maps_chw, const MaskOptions& options);

/// Where a class map [h,w], resized to the image, is below `background_factor` of its mean. [H,W] bool.
at::Tensor background_of(const at::Tensor& class_map_hw, std::int64_t height_px, std::int64_t width_px,
                         const MaskOptions& options);

/// The rim of masks [P,H,W] bool: dilation by 5x5 without erosion by 5x5.
at::Tensor contours_of(const at::Tensor& masks_phw);

}  // namespace seedbed::prm
