#pragma once

#include <memory>
#include <string>

#include "images/accessor.hpp"
#include "stages/models.hpp"
#include "stages/stage_context.hpp"

namespace seedbed::stages {

/// Scores the state of a fit on the role that `train.validate` names. Threads: [one-at-a-time].
class FitValidation {
 public:
  virtual ~FitValidation() = default;

  /// Requires: the model in evaluation mode. Higher is better; 0 where the metric is not defined.
  virtual double score() = 0;

  virtual std::shared_ptr<images::LabelledImages> images() const = 0;
};

/// `map_macro` of the generator's image-level scores, or `miou_union` of its seeds at the best constant threshold.
/// `context` and `fitted` are borrowed. Throws: ContractError for another metric.
std::unique_ptr<FitValidation> make_validation(const StageContext& context, GeneratorModel& fitted);

/// `miou_union` of the segmenter's labels. `context` and `fitted` are borrowed.
std::unique_ptr<FitValidation> make_validation(const StageContext& context, SegmenterModel& fitted);

/// Whether the fit's `train` table has a `validate`.
bool validates(const StageContext& context);

}  // namespace seedbed::stages
