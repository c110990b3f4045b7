#include "scale_agreement.hpp"

#include <algorithm>
#include <cmath>

#include <ATen/ATen.h>

#include "seedbed/kernels/resize.hpp"

namespace seedbed::label_correction {
namespace {

constexpr double kClamp = 1e-3;  // of the mixture, as released

// Which pixels count, [N,H,W] bool.
at::Tensor counting(const at::Tensor& confidence_nhw, double min_confidence, AgreementWhere where) {
  if (where == AgreementWhere::confident_pixels) return confidence_nhw.ge(min_confidence);
  return confidence_nhw.amax({1, 2}, /*keepdim=*/true).ge(min_confidence).expand_as(confidence_nhw);
}

}  // namespace

at::Tensor scaled_images(const at::Tensor& images_nchw, double scale, std::int64_t multiple_px,
                         std::int64_t minimum_px) {
  if (scale == 1.0) return images_nchw;
  const auto side = [&](std::int64_t size) {
    const double wanted = static_cast<double>(size) * scale / static_cast<double>(multiple_px);
    const std::int64_t rounded = std::max<std::int64_t>(1, std::llround(wanted)) * multiple_px;
    return std::max(rounded, (minimum_px + multiple_px - 1) / multiple_px * multiple_px);
  };
  return kernels::resize_maps(images_nchw, side(images_nchw.size(2)), side(images_nchw.size(3)),
                              /*align_corners=*/true);
}

at::Tensor disagreement(const std::vector<at::Tensor>& logits, double min_confidence, AgreementWhere where) {
  at::Tensor mixture;
  for (const at::Tensor& of_scale : logits) {
    const at::Tensor probabilities = of_scale.softmax(1);
    mixture = mixture.defined() ? mixture + probabilities : probabilities;
  }
  mixture = mixture / static_cast<double>(logits.size());
  const at::Tensor counts_nhw = counting(std::get<0>(mixture.detach().max(1)), min_confidence, where);
  const at::Tensor log_mixture = mixture.clamp(kClamp, 1 - kClamp).log();
  at::Tensor divergence_nhw;
  for (const at::Tensor& of_scale : logits) {
    const at::Tensor log_probabilities = of_scale.log_softmax(1);
    const at::Tensor single = (log_probabilities.exp() * (log_probabilities - log_mixture)).sum(1);
    divergence_nhw = divergence_nhw.defined() ? divergence_nhw + single : single;
  }
  const at::Tensor sum = (divergence_nhw * counts_nhw).sum() / static_cast<double>(logits.size());
  return sum / counts_nhw.sum().clamp_min(1);
}

ScaleWeights::ScaleWeights(std::int64_t num_scales) : scalars(register_parameter("scalars", at::ones({num_scales}))) {}

at::Tensor ScaleWeights::weights() const { return scalars.softmax(0); }

}  // namespace seedbed::label_correction
