#include "seedbed/kernels/permutohedral.hpp"

#include <algorithm>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "lattice.hpp"
#include "plane_blocks.hpp"
#include "seedbed/error.hpp"

namespace seedbed::kernels {
namespace {

const char* const kWho = "permutohedral lattice";

at::Tensor checked_features(const at::Tensor& features) {
  if (!features.defined() || features.dim() != 2 || features.scalar_type() != at::kFloat || features.size(0) < 1 ||
      features.size(1) < 1 || features.size(1) > Lattice::kMaxDimensions) {
    throw ContractError(kWho, "features are a float32 matrix", "[n,d], n >= 1, 1 <= d <= 7", "another tensor");
  }
  at::Tensor contiguous = features.detach().cpu().contiguous();
  if (!at::isfinite(contiguous).all().item<bool>()) {
    throw ContractError(kWho, "features are finite", "finite numbers", "NaN or infinity");
  }
  return contiguous;
}

}  // namespace

PermutohedralLattice::PermutohedralLattice(const at::Tensor& features_nd) {
  const at::Tensor features = checked_features(features_nd);
  lattice_ = std::make_shared<const Lattice>(features.const_data_ptr<float>(), features.size(0), features.size(1));
}

at::Tensor PermutohedralLattice::filter(const at::Tensor& planes_pn, BlurOrder order) const {
  const c10::NoGradGuard no_grad;
  if (!planes_pn.defined() || planes_pn.dim() != 2 || planes_pn.scalar_type() != at::kFloat ||
      planes_pn.size(1) != rows()) {
    throw ContractError(kWho, "planes agree with the features", "[P," + std::to_string(rows()) + "] float32",
                        "another tensor");
  }
  const at::Tensor planes = planes_pn.cpu().contiguous();
  const std::int64_t count = planes.size(0);
  at::Tensor result = at::empty_like(planes);
  if (count == 0) return result;
  at::Tensor at_rows = at::empty({rows(), block_width(count)}, at::kFloat);
  at::Tensor at_points = at::empty({points(), block_width(count)}, at::kFloat);
  float* row_values = at_rows.mutable_data_ptr<float>();
  float* point_values = at_points.mutable_data_ptr<float>();
  for (std::int64_t first = 0; first < count; first += 16) {
    const std::int64_t size = std::min<std::int64_t>(16, count - first);
    const std::int64_t width = block_width(size);
    interleave(planes.const_data_ptr<float>() + first * rows(), rows(), size, 1.0f, 0.0f, row_values);
    lattice_->splat(row_values, width, point_values);
    lattice_->blur(point_values, width, order);
    std::fill_n(row_values, rows() * width, 0.0f);
    lattice_->slice(point_values, width, row_values, lattice_->blur_scale(), row_values);
    separate(row_values, rows(), size, result.mutable_data_ptr<float>() + first * rows());
  }
  return result.to(planes_pn.device());
}

std::int64_t PermutohedralLattice::rows() const { return lattice_->rows(); }
std::int64_t PermutohedralLattice::points() const { return lattice_->points(); }

at::Tensor spatial_features(std::int64_t height, std::int64_t width, double sigma_xy) {
  if (height < 1 || width < 1 || !(sigma_xy > 0.0)) {
    throw ContractError("spatial_features", "sizes and sigma are above 0", "above 0", "0 or less");
  }
  const at::Tensor x = (at::arange(width, at::kFloat) / sigma_xy).expand({height, width});
  const at::Tensor y = (at::arange(height, at::kFloat) / sigma_xy).unsqueeze(1).expand({height, width});
  return at::stack({x, y}, -1).view({height * width, 2});
}

at::Tensor bilateral_features(const at::Tensor& image_hwc, double sigma_xy, double sigma_rgb) {
  if (!image_hwc.defined() || image_hwc.dim() != 3 || image_hwc.size(2) != 3 || image_hwc.numel() == 0 ||
      (image_hwc.scalar_type() != at::kByte && image_hwc.scalar_type() != at::kFloat)) {
    throw ContractError("bilateral_features", "the image is [H,W,3] of uint8 or float32", "[H,W,3]", "another tensor");
  }
  if (!(sigma_rgb > 0.0)) throw ContractError("bilateral_features", "sigmas are above 0", "above 0", "0 or less");
  const at::Tensor places = spatial_features(image_hwc.size(0), image_hwc.size(1), sigma_xy);
  const at::Tensor colours = image_hwc.detach().cpu().to(at::kFloat).reshape({-1, 3}) / sigma_rgb;
  return at::cat({places, colours}, 1);
}

}  // namespace seedbed::kernels
