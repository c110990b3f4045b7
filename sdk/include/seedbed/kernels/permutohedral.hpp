#pragma once

#include <cstdint>
#include <memory>

#include <ATen/core/Tensor.h>

#include "seedbed/export.hpp"

namespace seedbed::kernels {

class Lattice;

/// In which order the directions are blurred: `reversed` is the transpose of `forward`.
enum class BlurOrder { forward, reversed };

/// Gaussian sums over features, approximated on the permutohedral lattice (Adams, Baek and Davis, Fast High-Dimensional
/// Filtering Using the Permutohedral Lattice, Eurographics 2010; scaled as Kraehenbuehl and Koltun, NIPS 2011):
/// out_i = sum_j exp(-|f_i - f_j|^2 / 2) v_j, j = i included. Not the Gaussian itself: sums come out smaller or larger (by a
/// tenth in two dimensions, by half in seven), which a division by the filtered ones takes back up to a few percent. Rounding
/// differs a little between processors.
///
/// One lattice serves any number of planes, calls and threads. Values are moved sixteen planes at a time.
/// Threads: [any-thread]; every call runs on the caller's thread. Gradient: none; that of `filter` is `filter` of the
/// incoming one in the other blur order.
/// Cost: 8 (d + 1) bytes a feature row, and at most 52 + 4 d a lattice point (at most d + 1 points a row; fewer where
/// rows are near each other); twice that of the points while it is made; 64 bytes a point and a row in a call.
class SEEDBED_API PermutohedralLattice {
 public:
  /// features_nd [n,d] float32, finite, n >= 1, 1 <= d <= 7, already divided by their standard deviations.
  /// Throws: ContractError for other tensors; UserError where the features spread over more cells than a key of 64 bits
  /// can number (standard deviations far too small).
  explicit PermutohedralLattice(const at::Tensor& features_nd);

  /// planes_pn [P,n] float32 -> [P,n]. Throws: ContractError for other tensors.
  at::Tensor filter(const at::Tensor& planes_pn, BlurOrder order = BlurOrder::forward) const;

  std::int64_t rows() const;    ///< n
  std::int64_t points() const;  ///< lattice points in use

 private:
  std::shared_ptr<const Lattice> lattice_;
};

/// [H*W,2]: x / sigma_xy, y / sigma_xy, row by row. Requires: sizes and sigma above 0.
SEEDBED_API at::Tensor spatial_features(std::int64_t height, std::int64_t width, double sigma_xy);

/// [H*W,5]: x and y over sigma_xy, then the three colours over sigma_rgb. image_hwc [H,W,3] uint8 or float32 in 0..255.
/// Throws: ContractError for other tensors or sigmas that are not above 0.
SEEDBED_API at::Tensor bilateral_features(const at::Tensor& image_hwc, double sigma_xy, double sigma_rgb);

}  // namespace seedbed::kernels
