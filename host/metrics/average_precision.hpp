#pragma once

#include <optional>
#include <vector>

#include <ATen/core/Tensor.h>

namespace seedbed::metrics {

enum class PrecisionForm {
  sum,           ///< sum of precision times recall step (scikit-learn's where ties are grouped)
  all_points,    ///< VOC 2010: area under the upper envelope
  eleven_float,  ///< VOC 2007: 11 levels as the floats 0.0, 0.1 ... 1.0
  eleven_exact   ///< VOC 2007: 11 levels as fractions
};

enum class Ties {
  grouped,  ///< equal scores are one step
  stable    ///< equal scores in order of the images
};

/// Average precision of each class: nullopt for a class without positives.
///
/// scores_nc [N,C] floating, labels_nc [N,C] integer or bool: 1 present, 0 absent, -1 left out for this class.
/// Throws: UserError for scores that are not finite.
std::vector<std::optional<double>> average_precision(const at::Tensor& scores_nc, const at::Tensor& labels_nc,
                                                     PrecisionForm form = PrecisionForm::sum,
                                                     Ties ties = Ties::grouped);

/// `map_macro`: mean over classes with positives (form sum, ties grouped); nullopt where there is none.
std::optional<double> map_macro(const at::Tensor& scores_nc, const at::Tensor& labels_nc);

}  // namespace seedbed::metrics
