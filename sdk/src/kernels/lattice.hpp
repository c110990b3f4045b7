#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "seedbed/kernels/permutohedral.hpp"

// The permutohedral lattice of one set of features. Only sources of this folder include it.
namespace seedbed::kernels {

/// Values at rows are [rows][width], values at points [points][width], width 4, 8 or 16 (plane_blocks.hpp), finite.
class Lattice {
 public:
  static constexpr std::int64_t kMaxDimensions = 7;

  /// features [rows][dimensions], finite. Throws: UserError where keys do not fit.
  Lattice(const float* features, std::int64_t rows, std::int64_t dimensions);

  /// Makes the filter N^-1/2 K N^-1/2 with N = K 1 (1e-20 inside the root), by folding both roots into the weights.
  void normalise();

  std::int64_t rows() const { return rows_; }
  std::int64_t points() const { return points_; }
  std::int64_t directions() const { return dimensions_ + 1; }

  /// values at rows -> sums at points.
  void splat(const float* values, std::int64_t width, float* at_points) const;
  /// In place.
  void blur(float* at_points, std::int64_t width, BlurOrder order) const;
  /// What brings blurred values back to the Gaussian's scale.
  float blur_scale() const;
  /// out += the sum of each point's two neighbours in every direction.
  void add_neighbours(const float* at_points, std::int64_t width, float* out) const;
  /// out = base + factor * the values of each row's points under its weights; `out` may be `base`.
  void slice(const float* at_points, std::int64_t width, const float* base, float factor, float* out) const;

 private:
  std::int64_t rows_, dimensions_, points_ = 0;
  std::vector<std::int32_t> vertices_;  // [rows][dimensions + 1]: points around a row
  std::vector<float> weights_;          // their barycentric weights
  /// By direction: points in runs along it, each run's last one marked by the sign bit. Points without a neighbour in
  /// that direction, which the blur leaves as they are, are left out. One more entry at the end, only to be loaded.
  std::array<std::vector<std::uint32_t>, kMaxDimensions + 1> runs_;
};

}  // namespace seedbed::kernels
