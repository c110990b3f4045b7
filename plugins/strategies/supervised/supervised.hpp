#pragma once

#include <memory>
#include <string>
#include <vector>

#include "scaled_outputs.hpp"
#include "seedbed/fine_tuning.hpp"
#include "seedbed/kernels/label_resize.hpp"
#include "seedbed/loss.hpp"
#include "seedbed/model_context.hpp"
#include "seedbed/segmentation_head.hpp"
#include "seedbed/training_strategy.hpp"
#include "supervised_manifest.hpp"

namespace seedbed::supervised {

/// State names: backbone.*, head.*, losses.NAME.* where a loss has parameters.
class Supervised final : public TrainingStrategy {
 public:
  /// Throws: UserError for an unknown tap; ContractError without losses.
  Supervised(const SupervisedParameters& parameters, const ModelContext& context);

  /// The logits at scale 1, or with `fuse_predictions` the largest of all scales, element by element.
  at::Tensor predict(const at::Tensor& images_nchw, RunContext& run) override;
  Backbone* backbone() override { return &backbone_.backbone(); }

  Module& trained_module() override { return *this; }
  std::vector<ParameterGroup> parameter_groups() override;

  /// One term a loss: the sum over the outputs of all scales and, where there are several, their maximum. A loss that reads
  /// no logits is computed once, at scale 1. Throws: UserError for a scale that leaves no pixel.
  LossTerms training_step(const StepRequest& request) override;

 private:
  void on_train_mode(bool on) override;
  Network network(const std::vector<std::string>& taps, RunContext* run);
  std::vector<ScaledOutput> training_outputs(const StepRequest& request);
  at::Tensor value_of(Loss& loss, LossRequest& request, const std::vector<ScaledOutput>& outputs) const;
  at::Tensor value_at(Loss& loss, LossRequest& request, const at::Tensor& logits) const;

  SupervisedParameters parameters_;
  FineTunedBackbone backbone_;
  std::shared_ptr<SegmentationHead> head_;
  std::vector<WeightedLoss> losses_;
  std::int64_t ignore_index_;
  kernels::LabelSampling sampling_;
  std::vector<std::string> head_taps_;
  std::vector<std::string> all_taps_;  // of head and losses
};

}  // namespace seedbed::supervised
