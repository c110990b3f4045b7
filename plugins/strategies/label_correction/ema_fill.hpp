#pragma once

#include <memory>
#include <vector>

#include <ATen/core/Tensor.h>

#include "label_correction_manifest.hpp"
#include "seedbed/refiner.hpp"
#include "seedbed/training_strategy.hpp"
#include "segmenter_parts.hpp"

namespace seedbed::label_correction {

/// Labels without pixels in doubt: those that were undecided (254) take what a teacher sees there.
///
/// `probabilities_nkhw` [N,K,H,W] are the teacher's, `refined_nkhw` what decides (0 for labels that it may not give),
/// `present_nc` [N,C] bool. A filled pixel weighs the highest of the teacher's probabilities of the image's classes (MARS,
/// method notes 10.4), every other 1. Gradient: none.
Labels filled_labels(const at::Tensor& target_nhw, const at::Tensor& probabilities_nkhw, const at::Tensor& refined_nkhw,
                     const at::Tensor& present_nc);

/// MARS's training with completion: the fit's averaged teacher decides the undecided pixels of every batch. State names:
/// backbone.*, head.*, losses.NAME.* where a loss has parameters.
class EmaFill final : public TrainingStrategy {
 public:
  /// Throws: UserError for an unknown tap, and where no loss reads the weights of filled pixels; ContractError without
  /// losses.
  EmaFill(const EmaFillParameters& parameters, const ModelContext& context);

  at::Tensor predict(const at::Tensor& images_nchw, RunContext& run) override;
  Backbone* backbone() override { return &parts_.backbone().backbone(); }

  Module& trained_module() override { return *this; }
  std::vector<ParameterGroup> parameter_groups() override { return parts_.parameter_groups(); }

  /// Throws: UserError where the fit keeps no teacher; ContractError without image labels or, with a refiner, images.
  LossTerms training_step(const StepRequest& request) override;

 private:
  void on_train_mode(bool on) override;
  Labels filled(const StepRequest& request) const;
  at::Tensor refined_probabilities(const ViewBatch& batch, const at::Tensor& probabilities_nkhw, RunContext* run) const;

  EmaFillParameters parameters_;
  SegmenterParts parts_;
  std::shared_ptr<Refiner> refiner_;  // null where the slot is empty
};

}  // namespace seedbed::label_correction
