#include "scaled_outputs.hpp"

#include <cmath>
#include <string>

#include <ATen/ATen.h>

#include "seedbed/error.hpp"
#include "seedbed/kernels/resize.hpp"

namespace seedbed::supervised {
namespace {

at::Tensor scaled(const at::Tensor& images_nchw, double scale) {
  const auto side = [scale](std::int64_t pixels) {
    return static_cast<std::int64_t>(std::floor(static_cast<double>(pixels) * scale));
  };
  const std::int64_t height = side(images_nchw.size(2)), width = side(images_nchw.size(3));
  if (height < 1 || width < 1) {
    throw UserError("further_scales", "an image of this scale has no pixel: `" + std::to_string(scale) + "`",
                    "larger scales or larger images");
  }
  return at::upsample_bilinear2d(images_nchw, {height, width}, /*align_corners=*/false, scale, scale);
}

}  // namespace

std::vector<ScaledOutput> outputs_at_scales(const Network& network, const at::Tensor& images_nchw,
                                            const std::vector<double>& further_scales) {
  std::vector<ScaledOutput> outputs{network(images_nchw)};
  for (const double scale : further_scales) outputs.push_back(network(scaled(images_nchw, scale)));
  return outputs;
}

at::Tensor largest_logits(const std::vector<ScaledOutput>& outputs) {
  at::Tensor largest = outputs.front().logits_nkhw;
  const std::int64_t height = largest.size(2), width = largest.size(3);
  for (std::size_t i = 1; i < outputs.size(); ++i) {
    largest =
        at::maximum(largest, kernels::resize_maps(outputs[i].logits_nkhw, height, width, /*align_corners=*/false));
  }
  return largest;
}

}  // namespace seedbed::supervised
