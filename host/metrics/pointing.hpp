#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include <ATen/core/Tensor.h>

namespace seedbed::metrics {

struct Point {
  std::int64_t row = 0;
  std::int64_t column = 0;
};

/// The largest value, the first in row-major order of equal ones. Requires: [H,W] floating, not empty.
Point largest_at(const at::Tensor& map_hw);

/// Whether a pixel of `label` lies nearer than `tolerance_px` to the point (Zhang et al., ECCV 2016, the pointing game;
/// squared distance < tolerance^2, so 1 is the pixel itself). Requires: truth [H,W] uint8.
bool points_at(const at::Tensor& truth_hw, std::int64_t label, const Point& point, double tolerance_px);

/// Share of a map's positive values that lies on pixels of `label`; nullopt for a map without any.
/// `leave_out_void`: pixels of 255 are in neither sum.
std::optional<double> energy_inside(const at::Tensor& map_hw, const at::Tensor& truth_hw, std::int64_t label,
                                    bool leave_out_void);

/// Hits and misses of the pointing game by class. Threads: [one-at-a-time].
class PointingGame {
 public:
  explicit PointingGame(std::int64_t num_labels)
      : hits_(static_cast<std::size_t>(num_labels)), misses_(static_cast<std::size_t>(num_labels)) {}

  void add(std::int64_t label, bool hit) { ++(hit ? hits_ : misses_).at(static_cast<std::size_t>(label)); }

  PointingGame& operator+=(const PointingGame& other);

  const std::vector<std::int64_t>& hits() const { return hits_; }
  const std::vector<std::int64_t>& misses() const { return misses_; }

  std::vector<std::optional<double>> accuracy() const;  ///< nullopt for a label that was never asked for
  std::optional<double> mean_seen() const;              ///< over labels that were asked for

  /// Over all labels, one that was never asked for as 0 (TorchRay): labels may be numbered with or without a background.
  double mean_all() const;

  /// The same over labels 1..K-1; nullopt where there are none.
  std::optional<double> mean_all_classes() const;

  std::optional<double> pooled() const;  ///< hits of all questions

 private:
  std::vector<std::int64_t> hits_;
  std::vector<std::int64_t> misses_;
};

}  // namespace seedbed::metrics
