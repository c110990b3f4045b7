#include "memorisation_curve.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>

namespace seedbed::label_correction {
namespace {

constexpr std::size_t kNumParameters = 3;
constexpr double kFirstDeviation = 1.0, kLastDeviation = 0.1;  // released weights of the residuals
constexpr double kSmallestC = 1e-6;
constexpr std::array<double, kNumParameters> kLowest{0, 0, kSmallestC};
constexpr std::array<double, kNumParameters> kHighest{1, 1, 1e6};
constexpr int kMostIterations = 500;
constexpr double kSmallestGain = 1e-14;  // relative
constexpr double kFirstDamping = 1e-3, kLargestDamping = 1e12;

using Vector = std::array<double, kNumParameters>;
using Matrix = std::array<Vector, kNumParameters>;

MemorisationCurve curve_of(const Vector& parameters) { return {parameters[0], parameters[1], parameters[2]}; }

double weight_of(std::size_t index, std::size_t count) {
  const double share = count > 1 ? static_cast<double>(index) / static_cast<double>(count - 1) : 1.0;
  return 1.0 / (kFirstDeviation * std::pow(kLastDeviation / kFirstDeviation, share));
}

double cost(const Vector& parameters, const std::vector<CurvePoint>& points) {
  const MemorisationCurve curve = curve_of(parameters);
  double sum = 0;
  for (std::size_t i = 0; i < points.size(); ++i) {
    const double residual = weight_of(i, points.size()) * (curve.at(points[i].epoch) - points[i].overlap);
    sum += residual * residual;
  }
  return sum;
}

Vector derivatives(const Vector& parameters, double x) {
  const auto [a, b, c] = parameters;
  const double u = std::pow(x, b) / c, rest = std::exp(-u);
  return {1 - rest, a * rest * u * std::log(x), -a * rest * u / c};
}

/// The normal equations of the linearised problem.
struct Equations {
  Matrix matrix{};
  Vector gradient{};  // of half the cost
};

Equations equations_at(const Vector& parameters, const std::vector<CurvePoint>& points) {
  Equations equations;
  for (std::size_t i = 0; i < points.size(); ++i) {
    const double weight = weight_of(i, points.size());
    const double residual = weight * (curve_of(parameters).at(points[i].epoch) - points[i].overlap);
    const Vector slope = derivatives(parameters, points[i].epoch);
    for (std::size_t row = 0; row < kNumParameters; ++row) {
      equations.gradient[row] += weight * slope[row] * residual;
      for (std::size_t column = 0; column < kNumParameters; ++column) {
        equations.matrix[row][column] += weight * weight * slope[row] * slope[column];
      }
    }
  }
  return equations;
}

// A parameter at its bound that would leave it is held.
void hold_bounds(const Vector& parameters, Equations& equations) {
  for (std::size_t i = 0; i < kNumParameters; ++i) {
    const bool leaves_low = parameters[i] <= kLowest[i] && equations.gradient[i] > 0;
    const bool leaves_high = parameters[i] >= kHighest[i] && equations.gradient[i] < 0;
    if (!leaves_low && !leaves_high) continue;
    for (std::size_t j = 0; j < kNumParameters; ++j) equations.matrix[i][j] = equations.matrix[j][i] = 0;
    equations.matrix[i][i] = 1;
    equations.gradient[i] = 0;
  }
}

// Solves matrix x = -gradient by elimination; the damped matrix is positive definite.
Vector step_of(Equations equations, double damping) {
  Matrix& m = equations.matrix;
  Vector right{};
  for (std::size_t i = 0; i < kNumParameters; ++i) {
    m[i][i] += damping * std::max(m[i][i], 1e-12);
    right[i] = -equations.gradient[i];
  }
  for (std::size_t pivot = 0; pivot < kNumParameters; ++pivot) {
    for (std::size_t row = pivot + 1; row < kNumParameters; ++row) {
      const double factor = m[row][pivot] / m[pivot][pivot];
      for (std::size_t column = pivot; column < kNumParameters; ++column) m[row][column] -= factor * m[pivot][column];
      right[row] -= factor * right[pivot];
    }
  }
  for (std::size_t i = kNumParameters; i-- > 0;) {
    for (std::size_t column = i + 1; column < kNumParameters; ++column) right[i] -= m[i][column] * right[column];
    right[i] /= m[i][i];
  }
  return right;
}

Vector moved(const Vector& parameters, const Vector& step) {
  Vector result{};
  for (std::size_t i = 0; i < kNumParameters; ++i) {
    result[i] = std::clamp(parameters[i] + step[i], kLowest[i], kHighest[i]);
  }
  return result;
}

}  // namespace

double MemorisationCurve::at(double x) const { return a * (1 - std::exp(-std::pow(x, b) / c)); }

double MemorisationCurve::slope(double x) const {
  const double u = std::pow(x, b) / c;
  return a * std::exp(-u) * b * u / x;
}

MemorisationCurve fitted_curve(const std::vector<CurvePoint>& points) {
  Vector parameters{1, 1, 1};
  double best = cost(parameters, points), damping = kFirstDamping;
  for (int i = 0; i < kMostIterations && damping < kLargestDamping; ++i) {
    Equations equations = equations_at(parameters, points);
    hold_bounds(parameters, equations);
    const Vector candidate = moved(parameters, step_of(equations, damping));
    const double found = cost(candidate, points);
    if (!(found < best)) {
      damping *= 4;
      continue;
    }
    const double gain = best - found;
    parameters = candidate;
    damping = std::max(damping / 3, 1e-12);
    best = found;
    if (gain <= kSmallestGain * best) break;
  }
  return curve_of(parameters);
}

int update_epoch(const MemorisationCurve& curve, double relative_change, int horizon) {
  const double first = curve.slope(1);
  int steady = 0;
  for (int epoch = 1; epoch <= horizon; ++epoch) {
    double change = first > 0 ? std::abs(curve.slope(epoch) - first) / first : 0;
    if (change > 1) change = 0;
    if (change <= relative_change) ++steady;
  }
  return steady + 1;
}

}  // namespace seedbed::label_correction
