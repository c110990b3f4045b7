#pragma once

#include <memory>
#include <vector>

#include <ATen/core/Tensor.h>

#include "corrected_labels.hpp"
#include "label_correction_manifest.hpp"
#include "overlap_history.hpp"
#include "scale_agreement.hpp"
#include "seedbed/refiner.hpp"
#include "seedbed/training_strategy.hpp"
#include "segmenter_parts.hpp"

namespace seedbed::label_correction {

/// ADELE (Liu et al., CVPR 2022): a network learns from noisy labels, and once its course says of a class that it begins to
/// memorise their mistakes, its own confident predictions replace them. Several scales are held together by a consistency term.
///
/// Labels, their geometry and the courses lie in the fit's stores `labels`, `labels_geometry` and `overlaps`, everything else
/// in parameters: a resumed fit is equal. State names: backbone.*, head.*, scale_weights.scalars, losses.NAME.* where a
/// loss has parameters.
class Adele final : public TrainingStrategy {
 public:
  /// Throws: UserError for an unknown tap; ContractError without losses.
  Adele(const AdeleParameters& parameters, const ModelContext& context);

  at::Tensor predict(const at::Tensor& images_nchw, RunContext& run) override;
  Backbone* backbone() override { return &parts_.backbone().backbone(); }

  Module& trained_module() override { return *this; }
  std::vector<ParameterGroup> parameter_groups() override { return parts_.parameter_groups({scale_weights_.get()}); }

  /// One term a loss (its mean over the scales), and `consistency`.
  LossTerms training_step(const StepRequest& request) override;
  /// Closes a stretch of the course every `record_every` steps.
  void after_step(const StepRequest& request) override;
  /// Decides which classes are corrected from now on, and corrects the labels of all images.
  /// Throws: ContractError without image labels or, with a refiner, images.
  void after_epoch(EpochServices& services) override;

 private:
  void on_train_mode(bool on) override;
  OverlapHistory history(MapStore& store) const { return {store, num_labels_}; }
  std::vector<Pass> passes(const ViewBatch& batch, RunContext* run) const;
  LossTerms pixel_terms(const StepRequest& request, const std::vector<Pass>& passes, const Labels& labels) const;
  /// The labels that are corrected after `epoch` epochs, by the curves of all classes so far.
  at::Tensor corrected_after(std::int64_t epoch, OverlapHistory history) const;
  void correct(const ViewBatch& image, const at::Tensor& corrected_k, CorrectedLabels& labels, EpochServices& services);
  at::Tensor probabilities(const ViewBatch& image, EpochServices& services);

  AdeleParameters parameters_;
  SegmenterParts parts_;
  std::shared_ptr<ScaleWeights> scale_weights_;
  std::shared_ptr<Refiner> refiner_;  // null where the slot is empty
  std::int64_t num_labels_;
};

}  // namespace seedbed::label_correction
