#include "gated_crf.hpp"

#include <algorithm>
#include <cmath>

#include <ATen/ATen.h>

namespace seedbed::crf_losses {
namespace {

/// Two cells of a map that lie (rows, columns) apart, for all cells at once; rows >= 0.
struct Offset {
  std::int64_t rows, columns;

  at::Tensor first(const at::Tensor& map) const { return part(map, 0, std::max<std::int64_t>(0, -columns)); }
  at::Tensor second(const at::Tensor& map) const { return part(map, rows, std::max<std::int64_t>(0, columns)); }

 private:
  at::Tensor part(const at::Tensor& map, std::int64_t top, std::int64_t left) const {
    return map.narrow(-2, top, map.size(-2) - rows).narrow(-1, left, map.size(-1) - std::abs(columns));
  }
};

// Each pair of neighbours once.
std::vector<Offset> half_window(std::int64_t radius, std::int64_t height, std::int64_t width) {
  std::vector<Offset> offsets;
  for (std::int64_t rows = 0; rows <= std::min(radius, height - 1); ++rows) {
    const std::int64_t reach = std::min(radius, width - 1);
    for (std::int64_t columns = -reach; columns <= reach; ++columns) {
      if (rows > 0 || columns > 0) offsets.push_back({rows, columns});
    }
  }
  return offsets;
}

// k of all pairs at this offset, [N,1,h',w'].
at::Tensor kernel_at(const Offset& offset, const at::Tensor& colours, const std::vector<GatedKernel>& kernels) {
  const auto apart = static_cast<double>(offset.rows * offset.rows + offset.columns * offset.columns);
  const at::Tensor colour_distance = (offset.first(colours) - offset.second(colours)).square().sum(1, /*keepdim=*/true);
  at::Tensor sum = at::zeros_like(colour_distance);
  for (const GatedKernel& kernel : kernels) {
    const double near = kernel.weight * std::exp(-0.5 * apart / (kernel.sigma_xy * kernel.sigma_xy));
    if (kernel.sigma_rgb > 0) {
      sum.add_((colour_distance * (-0.5 / (kernel.sigma_rgb * kernel.sigma_rgb))).exp(), near);
    } else {
      sum.add_(near);
    }
  }
  return sum;
}

// What a cell's neighbours outside the image add in the release. [N,1,h,w]
at::Tensor outside(const at::Tensor& colours, const GatedCrf& crf) {
  const std::int64_t height = colours.size(2), width = colours.size(3), side = 2 * crf.radius + 1;
  const auto options = colours.options();
  const at::Tensor y = at::arange(height, options).view({-1, 1}), x = at::arange(width, options);
  const auto inside = [&](const at::Tensor& place, std::int64_t size) {
    const auto radius = static_cast<double>(crf.radius);
    return place.clamp_max(radius) + (static_cast<double>(size - 1) - place).clamp_max(radius) + 1;
  };
  const at::Tensor count = static_cast<double>(side * side) - inside(y, height) * inside(x, width);
  const at::Tensor colour_norm = colours.square().sum(1, /*keepdim=*/true), place_norm = y.square() + x.square();
  at::Tensor sum = at::zeros_like(colour_norm);
  for (const GatedKernel& kernel : crf.kernels) {
    at::Tensor exponent = (place_norm / (kernel.sigma_xy * kernel.sigma_xy)).expand_as(colour_norm);
    if (kernel.sigma_rgb > 0) exponent = exponent + colour_norm / (kernel.sigma_rgb * kernel.sigma_rgb);
    sum.add_((-0.5 * exponent).exp(), kernel.weight);
  }
  return sum * count;
}

}  // namespace

at::Tensor gated_crf(const at::Tensor& probabilities_nkhw, const at::Tensor& colours_nchw, const at::Tensor& source_nhw,
                     const at::Tensor& destination_nhw, const GatedCrf& crf) {
  const at::Tensor y = probabilities_nkhw.detach();
  const at::Tensor ones = at::ones({y.size(0), 1, y.size(2), y.size(3)}, y.options());
  const at::Tensor source = source_nhw.defined() ? source_nhw.unsqueeze(1).to(y.scalar_type()) : ones;
  const at::Tensor destination = destination_nhw.defined() ? destination_nhw.unsqueeze(1).to(y.scalar_type()) : ones;
  // Of each cell: what reaches it of the sources (`received`, `mass` without y) and of the destinations that it reaches.
  at::Tensor received = at::zeros_like(y), answered = at::zeros_like(y), mass = at::zeros_like(ones);
  const at::Tensor from_source = source * y, from_destination = destination * y;
  for (const Offset& offset : half_window(crf.radius, y.size(2), y.size(3))) {
    const at::Tensor kernel = kernel_at(offset, colours_nchw, crf.kernels);
    offset.first(received).addcmul_(kernel, offset.second(from_source));
    offset.second(received).addcmul_(kernel, offset.first(from_source));
    offset.first(answered).addcmul_(kernel, offset.second(from_destination));
    offset.second(answered).addcmul_(kernel, offset.first(from_destination));
    offset.first(mass).addcmul_(kernel, offset.second(source));
    offset.second(mass).addcmul_(kernel, offset.first(source));
  }
  if (crf.counts_border_as_released && !source_nhw.defined()) mass.add_(outside(colours_nchw, crf));
  const at::Tensor total = destination.sum();
  const at::Tensor scale = at::where(total.gt(0), total.reciprocal(), at::zeros_like(total));
  const at::Tensor value = (destination * (mass - (y * received).sum(1, /*keepdim=*/true))).sum();
  // Bilinear in y: as a receiver a cell's gradient is D received, as a sender S answered.
  const at::Tensor slope = -(probabilities_nkhw * (destination * received + source * answered)).sum();
  return scale * (value + slope - slope.detach());
}

}  // namespace seedbed::crf_losses
