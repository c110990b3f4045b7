#pragma once

#include <memory>

#include "attention_affinity_manifest.hpp"
#include "seedbed/backbone.hpp"
#include "seedbed/model_context.hpp"
#include "seedbed/refiner.hpp"

namespace seedbed::attention_affinity {

/// Spreads maps along the attention of a backbone that is not trained here.
class AttentionAffinity final : public Refiner {
 public:
  /// Throws: UserError without a backbone, with one that has no blocks of attention, and with fewer than `blocks`.
  AttentionAffinity(const AttentionAffinityParameters& parameters, const ModelContext& context);

  /// Throws: UserError where the last blocks attend to fewer cells than they have (reduced keys).
  RefineResult refine(const RefineRequest& request) override;
  Backbone* backbone() override { return backbone_.get(); }

 private:
  /// Attention of the cells of `height` x `width` to each other, [M,M].
  struct CellAttention {
    at::Tensor matrix_mm;
    std::int64_t height = 0;
    std::int64_t width = 0;
  };

  CellAttention attention_of(const at::Tensor& image_hwc, RunContext* run);
  at::Tensor spread(const at::Tensor& maps_phw, const CellAttention& attention) const;

  AttentionAffinityParameters parameters_;
  std::shared_ptr<Backbone> backbone_;
  std::int64_t num_blocks_ = 0;
};

}  // namespace seedbed::attention_affinity
