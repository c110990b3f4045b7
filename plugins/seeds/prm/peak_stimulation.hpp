#pragma once

#include <cstdint>
#include <string>

#include <ATen/core/Tensor.h>

/// Peak stimulation (Zhou et al., CVPR 2018, section 3.1; PRM, install/functions/peak_stimulation.py).
namespace seedbed::prm {

struct PeakOptions {
  std::int64_t window = 3;  ///< cells, odd
  std::string filter =
      "median";  ///< a peak is at least its map's "median", "mean" or "max", a "constant", or ("none") anything
  double constant = 0.0;
};

/// Where a map is the largest of its window, [N,C,h,w] -> the same, bool. Of equal neighbours the first in order of rows is a
/// peak. Gradient: none. Throws: UserError for an even window.
at::Tensor peaks_of(const at::Tensor& maps_nchw, const PeakOptions& options);

/// Mean of each map over its peaks, [N,C]; 0 for a map without any. With `exact` the gradient of a peak is divided by their
/// number, as it is for a mean; the released code leaves that out. Gradient: to the peaks alone.
at::Tensor stimulate(const at::Tensor& maps_nchw, const at::Tensor& peaks_nchw, bool exact);

}  // namespace seedbed::prm
