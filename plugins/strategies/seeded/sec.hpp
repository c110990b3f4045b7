#pragma once

#include "seeded_manifest.hpp"
#include "seeded_segmenter.hpp"

namespace seedbed::seeded {

/// Terms: seed, expand, constrain.
class Sec final : public SeededSegmenter {
 public:
  /// Throws: as SeededSegmenter.
  Sec(const SecParameters& parameters, const ModelContext& context);

 private:
  LossTerms own_terms(const Seeded& seeded, const StepRequest& request) override;

  kernels::ExpandDecays decays_;
  kernels::CrfLayer layer_;
  double floor_;
};

}  // namespace seedbed::seeded
