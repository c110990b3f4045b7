#include "seedbed/kernels/dense_energy.hpp"

#include <algorithm>
#include <vector>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/core/GradMode.h>

#include "seedbed/error.hpp"
#include "seedbed/kernels/permutohedral.hpp"
#include "seedbed/kernels/resize.hpp"
#include "seedbed/types.hpp"

namespace seedbed::kernels {
namespace {

constexpr std::int64_t kRowsAtOnce = 1024;  // of the exact filter: 4 KiB a pixel of the image

/// Everything at the resolution of the comparison.
struct Scaled {
  at::Tensor images_nhwc;
  at::Tensor probabilities_nkhw;  // with the graph
  at::Tensor region_n1hw;
  at::Tensor open_n1hw;  // bool: no label there, so the gate is open
};

void check_sizes(const DenseEnergyInput& input) {
  const at::Tensor& s = input.probabilities_nkhw;
  const auto fits = [&](const at::Tensor& map) {
    return !map.defined() || (map.dim() == 3 && map.size(0) == s.size(0) && map.sizes().slice(1) == s.sizes().slice(2));
  };
  if (s.dim() == 4 && input.images_nhwc.dim() == 4 && input.images_nhwc.size(3) == 3 &&
      fits(input.images_nhwc.select(3, 0)) && fits(input.region_nhw) && fits(input.labels_nhw)) {
    return;
  }
  throw ContractError("dense_energy", "image, region and labels have the probabilities' size", "[N,H,W] of [N,K,H,W]",
                      c10::str(s.sizes(), " beside an image ", input.images_nhwc.sizes()));
}

// torch's nearest: cell i reads floor(i / scale).
at::Tensor nearest(const at::Tensor& maps_nphw, std::int64_t height, std::int64_t width) {
  return at::upsample_nearest2d(maps_nphw.to(at::kFloat), {height, width});
}

Scaled scaled(const DenseEnergyInput& input, double scale) {
  const at::Tensor& s = input.probabilities_nkhw;
  const auto side = [&](std::int64_t length) {
    return std::max<std::int64_t>(1, static_cast<std::int64_t>(static_cast<double>(length) * scale));
  };
  const std::int64_t height = side(s.size(2)), width = side(s.size(3));
  Scaled result;
  result.images_nhwc =
      nearest(input.images_nhwc.permute({0, 3, 1, 2}), height, width).permute({0, 2, 3, 1}).contiguous();
  result.probabilities_nkhw = resize_maps(s, height, width, /*align_corners=*/false);
  const at::Tensor whole = at::ones({s.size(0), 1, height, width}, s.options().requires_grad(false));
  result.region_n1hw =
      input.region_nhw.defined() ? nearest(input.region_nhw.unsqueeze(1), height, width).to(s.scalar_type()) : whole;
  if (input.labels_nhw.defined()) {
    const at::Tensor labels = nearest(input.labels_nhw.unsqueeze(1), height, width);
    result.open_n1hw = labels.eq(kIgnoreLabel).logical_or(labels.eq(kUndecidedLabel));
  } else {
    result.open_n1hw = at::zeros_like(whole, at::kBool);
  }
  return result;
}

// Sums over all pairs: features [L,5], planes [P,L] -> [P,L].
at::Tensor exact_filter(const at::Tensor& features, const at::Tensor& planes) {
  std::vector<at::Tensor> blocks;
  for (const at::Tensor& rows : features.split(kRowsAtOnce)) {
    const at::Tensor distance = at::cdist(rows, features, 2.0, /*compute_mode=*/2);
    blocks.push_back(at::matmul(planes, distance.square_().mul_(-0.5).exp_().t()));
  }
  return at::cat(blocks, 1);
}

at::Tensor filtered(const at::Tensor& images_nhwc, const at::Tensor& planes_nkhw, const DenseEnergy& energy) {
  const at::Tensor planes = planes_nkhw.detach().to(at::kCPU, at::kFloat).flatten(2).contiguous();
  const at::Tensor images = images_nhwc.to(at::kCPU);
  std::vector<at::Tensor> sums(static_cast<std::size_t>(planes.size(0)));
  at::parallel_for(0, planes.size(0), 1, [&](std::int64_t begin, std::int64_t end) {
    const c10::NoGradGuard no_grad;  // the mode belongs to the thread
    for (std::int64_t n = begin; n < end; ++n) {
      const at::Tensor features = bilateral_features(images[n], energy.sigma_xy * energy.scale, energy.sigma_rgb);
      sums[static_cast<std::size_t>(n)] =
          energy.exact ? exact_filter(features, planes[n]) : PermutohedralLattice(features).filter(planes[n]);
    }
  });
  return at::stack(sums).view(planes_nkhw.sizes()).to(planes_nkhw.device(), planes_nkhw.scalar_type());
}

}  // namespace

at::Tensor dense_energy(const DenseEnergyInput& input, const DenseEnergy& energy) {
  check_sizes(input);
  const Scaled at_scale = scaled(input, energy.scale);
  const at::Tensor& s = at_scale.probabilities_nkhw;
  const at::Tensor& region = at_scale.region_n1hw;
  at::Tensor attraction = filtered(at_scale.images_nhwc, s.detach() * region, energy);
  if (energy.gate) {
    const at::Tensor unsure = (region - s.detach().amax(1, /*keepdim=*/true)).clamp_min(0);
    attraction = attraction * unsure.masked_fill(at_scale.open_n1hw, 1);
  }
  const at::Tensor agreement = (s * (attraction * region)).sum();
  // The energy is quadratic in S, and the published gradient holds the gate alone: twice that of this product, in which
  // the filtered S is held as well.
  const double factor = -energy.weight / static_cast<double>(s.size(0));
  return factor * (2 * agreement - agreement.detach());
}

}  // namespace seedbed::kernels
