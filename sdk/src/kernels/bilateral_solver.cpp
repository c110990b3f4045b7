#include "seedbed/kernels/bilateral_solver.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "lattice.hpp"
#include "plane_blocks.hpp"
#include "seedbed/error.hpp"
#include "seedbed/kernels/permutohedral.hpp"

namespace seedbed::kernels {
namespace {

using Values = std::vector<float>;
using LaneSums = std::array<double, 16>;

constexpr std::int64_t kSingle = 4;  // lanes of values that all planes share; the smallest block

void require(bool holds, const char* promise, const char* expected) {
  if (!holds) throw ContractError("bilateral_solve", promise, expected, "something else");
}

void check(const at::Tensor& image, const at::Tensor& targets, const at::Tensor& confidence,
           const BilateralSolverOptions& options) {
  require(image.defined() && image.dim() == 3 && image.size(2) == 3 && image.numel() > 0 &&
              (image.scalar_type() == at::kByte || image.scalar_type() == at::kFloat),
          "the image is [H,W,3] of uint8 or float32", "[H,W,3]");
  require(targets.defined() && targets.dim() == 3 && targets.scalar_type() == at::kFloat &&
              targets.size(1) == image.size(0) && targets.size(2) == image.size(1),
          "targets agree with the image", "[P,H,W] float32");
  require(confidence.defined() && confidence.dim() == 2 && confidence.scalar_type() == at::kFloat &&
              confidence.size(0) == image.size(0) && confidence.size(1) == image.size(1) &&
              confidence.ge(0).all().item<bool>(),
          "the confidence agrees with the image and is not negative", "[H,W] float32 >= 0");
  require(options.sigma_xy > 0 && options.sigma_luma > 0 && options.sigma_chroma > 0 && options.smoothness > 0,
          "standard deviations and smoothness are above 0", "above 0");
  require(options.iterations >= 0 && options.tolerance >= 0, "iterations and tolerance are not negative", "0 or more");
}

/// Places and YUV (ITU-R BT.601 as in JPEG, without its offsets, which do not change distances).
at::Tensor features_of(const at::Tensor& image, const BilateralSolverOptions& options) {
  const at::Tensor places = spatial_features(image.size(0), image.size(1), options.sigma_xy);
  const at::Tensor rgb = image.to(at::kFloat).reshape({-1, 3});
  const at::Tensor r = rgb.select(1, 0), g = rgb.select(1, 1), b = rgb.select(1, 2);
  const at::Tensor luma = 0.299 * r + 0.587 * g + 0.114 * b;
  const at::Tensor u = -0.168736 * r - 0.331264 * g + 0.5 * b;
  const at::Tensor v = 0.5 * r - 0.418688 * g - 0.081312 * b;
  const at::Tensor colours =
      at::stack({luma / options.sigma_luma, u / options.sigma_chroma, v / options.sigma_chroma}, 1);
  return at::cat({places, colours}, 1).contiguous();
}

/// The system that all planes share.
class BilateralSystem {
 public:
  BilateralSystem(const Lattice& lattice, const Values& confidence, double smoothness)
      : lattice_(lattice), smoothness_(static_cast<float>(smoothness)) {
    splatted_confidence_ = splat_single(confidence);
    make_bistochastic();
    diagonal_.resize(splatted_confidence_.size());
    const float own = 2.0f * static_cast<float>(lattice_.directions());
    for (std::size_t i = 0; i < diagonal_.size(); ++i) {
      const float smooth = smoothness_ * (mass_[i] - own * scale_[i] * scale_[i]);
      diagonal_[i] = std::max(smooth + splatted_confidence_[i], 1e-5f);
    }
  }

  /// out = A in, with in scaled by `scratch`'s help. All [points][width].
  void apply(const Values& in, std::int64_t width, Values& scratch, Values& out) const {
    const float own = 2.0f * static_cast<float>(lattice_.directions());
    for_each(width, [&](std::size_t point, std::size_t at) {
      scratch[at] = scale_[point] * in[at];
      out[at] = own * scratch[at];
    });
    lattice_.add_neighbours(scratch.data(), width, out.data());
    for_each(width, [&](std::size_t point, std::size_t at) {
      out[at] =
          (smoothness_ * mass_[point] + splatted_confidence_[point]) * in[at] - smoothness_ * scale_[point] * out[at];
    });
  }

  template <typename Each>
  void for_each(std::int64_t width, const Each& each) const {
    const auto lanes = static_cast<std::size_t>(width);
    for (std::size_t point = 0; point < mass_.size(); ++point) {
      for (std::size_t lane = 0; lane < lanes; ++lane) each(point, point * lanes + lane);
    }
  }

  float diagonal(std::size_t point) const { return diagonal_[point]; }
  float confidence(std::size_t point) const { return splatted_confidence_[point]; }
  const Lattice& lattice() const { return lattice_; }

 private:
  Values splat_single(const Values& at_rows) const {
    Values repeated(at_rows.size() * kSingle), wide(static_cast<std::size_t>(lattice_.points() * kSingle));
    for (std::size_t i = 0; i < repeated.size(); ++i) repeated[i] = at_rows[i / kSingle];
    lattice_.splat(repeated.data(), kSingle, wide.data());
    Values single(static_cast<std::size_t>(lattice_.points()));
    for (std::size_t i = 0; i < single.size(); ++i) single[i] = wide[i * kSingle];
    return single;
  }

  Values blurred(const Values& at_points) const {
    Values out(at_points.size());
    for (std::size_t i = 0; i < out.size(); ++i)
      out[i] = 2.0f * static_cast<float>(lattice_.directions()) * at_points[i];
    lattice_.add_neighbours(at_points.data(), 1, out.data());
    return out;
  }

  // D_n B D_n 1 = D_m 1, up to the last step, which moves m instead (their algorithm 1).
  void make_bistochastic() {
    mass_ = splat_single(Values(static_cast<std::size_t>(lattice_.rows()), 1.0f));
    scale_.assign(mass_.size(), 1.0f);
    for (int step = 0; step < 10; ++step) {
      const Values sums = blurred(scale_);
      for (std::size_t i = 0; i < scale_.size(); ++i) scale_[i] = std::sqrt(scale_[i] * mass_[i] / sums[i]);
    }
    const Values sums = blurred(scale_);
    for (std::size_t i = 0; i < mass_.size(); ++i) mass_[i] = scale_[i] * sums[i];
  }

  const Lattice& lattice_;
  float smoothness_;
  Values splatted_confidence_, mass_, scale_, diagonal_;
};

/// Conjugate gradients for a block of planes, each lane its own.
class LaneSolver {
 public:
  LaneSolver(const BilateralSystem& system, std::int64_t width, Values right)
      : system_(system),
        width_(width),
        right_(std::move(right)),
        x_(right_.size()),
        residual_(right_.size()),
        direction_(right_.size()),
        product_(right_.size()),
        scratch_(right_.size()) {}

  const Values& solve(std::int64_t iterations, double tolerance) {
    system_.for_each(width_, [&](std::size_t point, std::size_t at) {
      x_[at] = right_[at] / std::max(system_.confidence(point), 1e-20f);
    });
    system_.apply(x_, width_, scratch_, product_);
    system_.for_each(width_, [&](std::size_t, std::size_t at) { residual_[at] = right_[at] - product_[at]; });
    LaneSums limit = sums([&](std::size_t, std::size_t at) { return right_[at] * right_[at]; });
    for (double& each : limit) each *= tolerance * tolerance;
    system_.for_each(
        width_, [&](std::size_t point, std::size_t at) { direction_[at] = residual_[at] / system_.diagonal(point); });
    LaneSums rz = preconditioned_square();
    for (std::int64_t i = 0; i < iterations && !small_enough(limit); ++i) rz = step(rz);
    return x_;
  }

 private:
  template <typename Term>
  LaneSums sums(const Term& term) const {
    LaneSums total{};
    const auto lanes = static_cast<std::size_t>(width_);
    system_.for_each(width_, [&](std::size_t point, std::size_t at) { total[at % lanes] += term(point, at); });
    return total;
  }

  LaneSums preconditioned_square() const {
    return sums(
        [&](std::size_t point, std::size_t at) { return residual_[at] * residual_[at] / system_.diagonal(point); });
  }

  bool small_enough(const LaneSums& limit) const {
    const LaneSums squares = sums([&](std::size_t, std::size_t at) { return residual_[at] * residual_[at]; });
    for (std::int64_t lane = 0; lane < width_; ++lane) {
      if (squares[static_cast<std::size_t>(lane)] > limit[static_cast<std::size_t>(lane)]) return false;
    }
    return true;
  }

  LaneSums step(const LaneSums& rz) {
    system_.apply(direction_, width_, scratch_, product_);
    const LaneSums curvature = sums([&](std::size_t, std::size_t at) { return direction_[at] * product_[at]; });
    std::array<float, 16> along{}, turn{};
    const auto lanes = static_cast<std::size_t>(width_);
    // A lane that is done has nothing left to go along.
    for (std::size_t lane = 0; lane < lanes; ++lane) {
      along[lane] = curvature[lane] > 0.0 ? static_cast<float>(rz[lane] / curvature[lane]) : 0.0f;
    }
    system_.for_each(width_, [&](std::size_t, std::size_t at) {
      x_[at] += along[at % lanes] * direction_[at];
      residual_[at] -= along[at % lanes] * product_[at];
    });
    const LaneSums next = preconditioned_square();
    for (std::size_t lane = 0; lane < lanes; ++lane) {
      turn[lane] = rz[lane] > 0.0 ? static_cast<float>(next[lane] / rz[lane]) : 0.0f;
    }
    system_.for_each(width_, [&](std::size_t point, std::size_t at) {
      direction_[at] = residual_[at] / system_.diagonal(point) + turn[at % lanes] * direction_[at];
    });
    return next;
  }

  const BilateralSystem& system_;
  std::int64_t width_;
  Values right_, x_, residual_, direction_, product_, scratch_;
};

}  // namespace

at::Tensor bilateral_solve(const at::Tensor& image_hwc, const at::Tensor& targets_phw, const at::Tensor& confidence_hw,
                           const BilateralSolverOptions& options) {
  const c10::NoGradGuard no_grad;
  check(image_hwc, targets_phw, confidence_hw, options);
  const at::Tensor targets = targets_phw.cpu().flatten(1).contiguous();
  const at::Tensor confidence = confidence_hw.cpu().flatten().contiguous();
  const std::int64_t rows = targets.size(1);
  if (targets.size(0) == 0 || !confidence.gt(0).any().item<bool>()) return targets_phw.clone();

  const at::Tensor features = features_of(image_hwc.cpu(), options);
  const Lattice lattice(features.const_data_ptr<float>(), rows, features.size(1));
  const float* weights = confidence.const_data_ptr<float>();
  const BilateralSystem system(lattice, Values(weights, weights + rows), options.smoothness);
  const at::Tensor weighted = targets * confidence;
  at::Tensor result = at::empty_like(targets);
  for (std::int64_t first = 0; first < targets.size(0); first += 16) {
    const std::int64_t count = std::min<std::int64_t>(16, targets.size(0) - first), width = block_width(count);
    Values at_rows(static_cast<std::size_t>(rows * width)), right(static_cast<std::size_t>(lattice.points() * width));
    interleave(weighted.const_data_ptr<float>() + first * rows, rows, count, 1.0f, 0.0f, at_rows.data());
    lattice.splat(at_rows.data(), width, right.data());
    LaneSolver solver(system, width, std::move(right));
    const Values& solution = solver.solve(options.iterations, options.tolerance);
    std::ranges::fill(at_rows, 0.0f);
    lattice.slice(solution.data(), width, at_rows.data(), 1.0f, at_rows.data());
    separate(at_rows.data(), rows, count, result.mutable_data_ptr<float>() + first * rows);
  }
  result = at::minimum(at::maximum(result, targets.amin(1, true)), targets.amax(1, true));
  return result.view(targets_phw.sizes()).to(targets_phw.device());
}

}  // namespace seedbed::kernels
