#pragma once

#include <vector>

namespace seedbed::label_correction {

/// How the overlap of predictions with noisy labels grows while a network first learns and then memorises: y(x) = a (1 -
/// exp(-x^b / c)), x in epochs (Liu et al., CVPR 2022, section 3.3).
struct MemorisationCurve {
  double a = 1;  ///< 0..1
  double b = 1;  ///< 0..1
  double c = 1;  ///< above 0

  double at(double x) const;
  double slope(double x) const;
};

struct CurvePoint {
  double epoch = 0;  ///< above 0
  double overlap = 0;
};

/// The curve nearest to `points`, in the order in which they were taken. Deviations weigh 1 at the first and ten times that at
/// the last point, geometrically between. Levenberg-Marquardt from (1, 1, 1), with a and b held in 0..1 and c above 0.
/// Requires: at least three points.
MemorisationCurve fitted_curve(const std::vector<CurvePoint>& points);

/// The first epoch, from 1, in which the slope has fallen by more than `relative_change` of what it is at epoch 1; `horizon` +
/// 1 where it does not before. A slope that changes by more than all of itself counts as unchanged, as released.
int update_epoch(const MemorisationCurve& curve, double relative_change, int horizon);

}  // namespace seedbed::label_correction
