#include "seedbed/kernels/crf_layer.hpp"

#include <string>
#include <vector>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/core/GradMode.h>

#include "seedbed/error.hpp"
#include "seedbed/kernels/dense_crf.hpp"
#include "seedbed/kernels/resize.hpp"

namespace seedbed::kernels {
namespace {

void check_sizes(const at::Tensor& scores_nkhw, const at::Tensor& images_nhwc) {
  if (scores_nkhw.dim() == 4 && images_nhwc.dim() == 4 && images_nhwc.scalar_type() == at::kByte &&
      images_nhwc.size(0) == scores_nkhw.size(0) && images_nhwc.size(1) == scores_nkhw.size(2) &&
      images_nhwc.size(2) == scores_nkhw.size(3) && images_nhwc.size(3) == 3) {
    return;
  }
  throw ContractError("crf_layer", "the CRF sees an 8-bit RGB image of the scores' size", "[N,K,h,w] and [N,h,w,3]",
                      c10::str(scores_nkhw.sizes(), " and ", images_nhwc.sizes()));
}

}  // namespace

at::Tensor crf_layer(const at::Tensor& scores_nkhw, const at::Tensor& images_nhwc, const CrfLayer& layer) {
  check_sizes(scores_nkhw, images_nhwc);
  const at::Tensor energies = scores_nkhw.detach().to(at::kCPU, at::kFloat).neg().contiguous();
  const at::Tensor images = images_nhwc.to(at::kCPU).contiguous();
  const DenseCrfOptions options{.gauss_sigma = layer.gauss_sigma,
                                .gauss_weight = layer.gauss_weight,
                                .bilateral_xy = layer.bilateral_xy,
                                .bilateral_rgb = layer.bilateral_rgb,
                                .bilateral_weight = layer.bilateral_weight};
  std::vector<at::Tensor> marginals(static_cast<std::size_t>(energies.size(0)));
  at::parallel_for(0, energies.size(0), 1, [&](std::int64_t begin, std::int64_t end) {
    const c10::NoGradGuard no_grad;  // the mode belongs to the thread
    for (std::int64_t n = begin; n < end; ++n) {
      marginals[static_cast<std::size_t>(n)] = DenseCrf(images[n], options).infer(energies[n], layer.iterations);
    }
  });
  return at::stack(marginals).to(scores_nkhw.device());
}

at::Tensor image_on_grid(const at::Tensor& images_nhwc, std::int64_t height, std::int64_t width) {
  if (images_nhwc.size(1) == height && images_nhwc.size(2) == width) return images_nhwc;
  const at::Tensor planes = images_nhwc.permute({0, 3, 1, 2}).to(at::kFloat);
  const at::Tensor resized = resize_maps(planes, height, width, /*align_corners=*/true);
  return resized.round().clamp(0, 255).to(at::kByte).permute({0, 2, 3, 1}).contiguous();
}

}  // namespace seedbed::kernels
