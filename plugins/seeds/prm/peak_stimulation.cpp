#include "peak_stimulation.hpp"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "seedbed/error.hpp"

namespace seedbed::prm {
namespace {

at::Tensor largest_of_window(const at::Tensor& maps_nchw, std::int64_t window) {
  // The pool pads with minus infinity, and its indices are those of the map.
  const at::Tensor winner = std::get<1>(at::max_pool2d_with_indices(maps_nchw, window, 1, window / 2));
  const at::Tensor own = at::arange(maps_nchw.size(2) * maps_nchw.size(3), winner.options());
  return winner.eq(own.view({maps_nchw.size(2), maps_nchw.size(3)}));
}

at::Tensor high_enough(const at::Tensor& maps_nchw, const PeakOptions& options) {
  const auto level = [&](const at::Tensor& level_nc) { return maps_nchw.ge(level_nc.unsqueeze(2).unsqueeze(3)); };
  const at::Tensor cells = maps_nchw.flatten(2);
  if (options.filter == "median") return level(std::get<0>(cells.median(2)));  // the lower of two
  if (options.filter == "mean") return level(cells.mean(2));
  if (options.filter == "max") return level(cells.amax(2));
  if (options.filter == "constant") return maps_nchw.ge(options.constant);
  if (options.filter == "none") return at::ones_like(maps_nchw, at::kBool);
  throw ContractError("prm", "parameters are checked by the host", "a known peak filter", "`" + options.filter + "`");
}

}  // namespace

at::Tensor peaks_of(const at::Tensor& maps_nchw, const PeakOptions& options) {
  if (options.window % 2 == 0) {
    throw UserError("peak_window", "a peak lies in the middle of its window: `" + std::to_string(options.window) + "`",
                    "3, 5, 7 ...");
  }
  const c10::NoGradGuard no_grad;
  const at::Tensor maps = maps_nchw.contiguous();
  return largest_of_window(maps, options.window).logical_and(high_enough(maps, options));
}

at::Tensor stimulate(const at::Tensor& maps_nchw, const at::Tensor& peaks_nchw, bool exact) {
  const at::Tensor sum = maps_nchw.masked_fill(peaks_nchw.logical_not(), 0).sum({2, 3});
  const at::Tensor mean = sum / peaks_nchw.sum({2, 3}).clamp_min(1);
  if (exact) return mean;
  return mean.detach() + (sum - sum.detach());
}

}  // namespace seedbed::prm
