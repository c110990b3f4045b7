#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "seedbed/fine_tuning.hpp"
#include "seedbed/kernels/crf_layer.hpp"
#include "seedbed/kernels/seed_expand_constrain.hpp"
#include "seedbed/model_context.hpp"
#include "seedbed/segmentation_head.hpp"
#include "seedbed/training_strategy.hpp"

namespace seedbed::seeded {

struct SeededOptions {
  FineTuningOptions fine_tuning;
  bool seeds_from_maps = true;  ///< else from the labels of the study
  kernels::CueRule cues;
  double floor = kernels::kSeedingFloor;
};

/// A segmenter that is taught by seeds, on the grid of its logits: what SEC and DSRG have in common. Losses that the study
/// names come on top of the method's own terms. State names: backbone.*, head.*, losses.NAME.*.
class SeededSegmenter : public TrainingStrategy {
 public:
  /// Throws: UserError for an unknown tap, and for a loss of the study that has the name of one of the method's terms.
  SeededSegmenter(SeededOptions options, const std::vector<std::string>& own_terms, const ModelContext& context);

  at::Tensor predict(const at::Tensor& images_nchw, RunContext& run) override;
  Backbone* backbone() override { return &backbone_.backbone(); }

  Module& trained_module() override { return *this; }
  std::vector<ParameterGroup> parameter_groups() override;

  /// Needs image labels, raw images and labels or class maps (companion `maps`).
  LossTerms training_step(const StepRequest& request) override;

 protected:
  /// What the terms of a method are made of.
  struct Seeded {
    at::Tensor logits_nkhw;
    at::Tensor probabilities_nkhw;  ///< with the floor
    at::Tensor cues_nkhw;           ///< float32 of 0 and 1
    at::Tensor images_nhwc;         ///< uint8, on the grid
    at::Tensor present_nc;
  };

  /// The method's own terms, but for those that do not count at this step.
  virtual LossTerms own_terms(const Seeded& seeded, const StepRequest& request) = 0;

  /// Whether the term has a weight at this step.
  static bool counts(const StepRequest& request, std::string_view term);

 private:
  void on_train_mode(bool on) override;
  at::Tensor logits(const NamedTensors& taps, const at::Tensor& images_nchw, RunContext* run);
  at::Tensor cues(const ViewBatch& batch, const at::Tensor& logits_nkhw) const;
  void add_losses_of_study(const NamedTensors& taps, const at::Tensor& logits_nkhw, const StepRequest& request,
                           LossTerms& terms);

  SeededOptions options_;
  FineTunedBackbone backbone_;
  std::shared_ptr<SegmentationHead> head_;
  std::vector<WeightedLoss> losses_;
  std::int64_t ignore_index_;
  std::vector<std::string> head_taps_;
  std::vector<std::string> all_taps_;  // of head and losses
};

}  // namespace seedbed::seeded
