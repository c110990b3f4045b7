#pragma once

#include <optional>
#include <utility>

#include "region_growing.hpp"
#include "seeded_manifest.hpp"
#include "seeded_segmenter.hpp"

namespace seedbed::seeded {

/// Terms: seed (balanced, on the grown seeds), constrain.
class Dsrg final : public SeededSegmenter {
 public:
  /// Throws: as SeededSegmenter; UserError where `ratio_clip` is neither empty nor two rising numbers above 0.
  Dsrg(const DsrgParameters& parameters, const ModelContext& context);

 private:
  LossTerms own_terms(const Seeded& seeded, const StepRequest& request) override;

  DsrgParameters parameters_;
  GrowingRule rule_;
  kernels::CrfLayer layer_;
  std::optional<std::pair<double, double>> ratio_clip_;
};

}  // namespace seedbed::seeded
