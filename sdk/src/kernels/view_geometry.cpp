#include "seedbed/kernels/view_geometry.hpp"

#include <ATen/ATen.h>

#include "seedbed/error.hpp"

namespace seedbed::kernels {
namespace {

void require_affine(const at::Tensor& affine_n23) {
  if (affine_n23.defined() && affine_n23.dim() == 3 && affine_n23.size(1) == 2 && affine_n23.size(2) == 3) return;
  throw ContractError("view geometry", "a view's place in its image is [N,2,3]", "such a tensor",
                      affine_n23.defined() ? affine_n23.toString() : "none");
}

// [N,3,3]: composes by multiplication.
at::Tensor homogeneous(const at::Tensor& affine_n23) {
  require_affine(affine_n23);
  const at::Tensor affine = affine_n23.to(at::kDouble);
  const at::Tensor last = at::tensor({0.0, 0.0, 1.0}, affine.options()).view({1, 1, 3});
  return at::cat({affine, last.expand({affine.size(0), 1, 3})}, 1);
}

// Where the centres of target's cells lie in source, as shares of its width and height: [N,height,width,2].
at::Tensor places_in_source(const ViewPlane& source, const ViewPlane& target, std::int64_t height, std::int64_t width) {
  const at::Tensor relation = view_relation(target.to_image_n23, source.to_image_n23);
  const auto centres = [&](std::int64_t cells, std::int64_t pixels) {
    return (at::arange(cells, relation.options()) + 0.5) * (static_cast<double>(pixels) / static_cast<double>(cells));
  };
  const at::Tensor x = centres(width, target.width_px).view({1, width}).expand({height, width});
  const at::Tensor y = centres(height, target.height_px).view({height, 1}).expand({height, width});
  const at::Tensor points = at::stack({x, y, at::ones_like(x)}, -1).view({1, height * width, 3});
  const at::Tensor placed = points.expand({relation.size(0), -1, -1}).bmm(relation.transpose(1, 2));
  const at::Tensor size =
      at::tensor({static_cast<double>(source.width_px), static_cast<double>(source.height_px)}, relation.options());
  return (placed / size).view({-1, height, width, 2});
}

}  // namespace

at::Tensor view_relation(const at::Tensor& from_n23, const at::Tensor& to_n23) {
  const at::Tensor to = homogeneous(to_n23);
  // Views are scaled, moved and mirrored: inverting the linear part by hand keeps exact numbers exact.
  const at::Tensor a = to.select(1, 0).select(1, 0), b = to.select(1, 0).select(1, 1), e = to.select(1, 0).select(1, 2);
  const at::Tensor c = to.select(1, 1).select(1, 0), d = to.select(1, 1).select(1, 1), f = to.select(1, 1).select(1, 2);
  const at::Tensor area = a * d - b * c;
  const at::Tensor rows = at::stack({d, -b, b * f - d * e, -c, a, c * e - a * f}, 1) / area.unsqueeze(1);
  return homogeneous(rows.view({-1, 2, 3})).bmm(homogeneous(from_n23)).narrow(1, 0, 2).contiguous();
}

at::Tensor maps_in_view(const at::Tensor& maps_nchw, const ViewPlane& source, const ViewPlane& target,
                        std::int64_t height, std::int64_t width) {
  const at::Tensor places = places_in_source(source, target, height, width);
  const at::Tensor grid = (places * 2 - 1).to(maps_nchw.options());
  constexpr int bilinear = 0, zeros = 0;
  return at::grid_sampler(maps_nchw, grid, bilinear, zeros, /*align_corners=*/false);
}

at::Tensor covered_in_view(const ViewPlane& source, const ViewPlane& target, std::int64_t height, std::int64_t width) {
  const at::Tensor places = places_in_source(source, target, height, width);
  return places.ge(0).logical_and(places.lt(1)).all(-1).unsqueeze(1);
}

}  // namespace seedbed::kernels
