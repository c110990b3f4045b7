#include "hard_pixels.hpp"

#include <algorithm>
#include <cmath>

#include <ATen/ATen.h>

#include "pixel_surprise.hpp"

namespace seedbed::cross_entropy {
namespace {

at::Tensor weighted(const at::Tensor& values, const LabelledPixels& pixels) {
  return pixels.weights_nhw.defined() ? values * pixels.weights_nhw : values;
}

}  // namespace

at::Tensor OhemCrossEntropy::compute(const LossRequest& request) {
  const LabelledPixels pixels = labelled_pixels(request, parameters_.align_corners);
  const at::Tensor surprise = pixel_surprise(pixels);
  const at::Tensor probability = surprise.detach().neg().exp();
  const at::Tensor counted = probability.masked_select(pixels.counts_nhw);
  if (counted.numel() == 0) return surprise.sum();
  const std::int64_t at_least = std::min(parameters_.keep_at_least, counted.numel());
  const double highest_kept =
      at_least == 0 ? 0.0 : std::get<0>(counted.kthvalue(at_least)).to(at::kDouble).item<double>();
  // Compared in the type of the probabilities: the pixel that sets the bound is kept itself.
  const at::Tensor kept =
      probability.le(std::max(parameters_.probability, highest_kept)).logical_and(pixels.counts_nhw);
  return mean_where(weighted(surprise, pixels), kept);
}

at::Tensor BootstrappedCrossEntropy::compute(const LossRequest& request) {
  const LabelledPixels pixels = labelled_pixels(request, parameters_.align_corners);
  const at::Tensor surprise = pixel_surprise(pixels);
  const auto num_counted = pixels.counts_nhw.sum().item<std::int64_t>();
  if (num_counted == 0) return surprise.sum();
  const auto share = static_cast<std::int64_t>(std::floor(parameters_.share * static_cast<double>(num_counted)));
  const at::Tensor hardness =
      weighted(surprise, pixels).masked_fill(pixels.counts_nhw.logical_not(), -1);  // below any that counts
  return std::get<0>(hardness.flatten().topk(std::max<std::int64_t>(share, 1))).mean();
}

}  // namespace seedbed::cross_entropy
