#pragma once

#include <memory>
#include <string>
#include <vector>

#include "seedbed/fine_tuning.hpp"
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

  at::Tensor predict(const at::Tensor& images_nchw, RunContext& run) override;
  Backbone* backbone() override { return &backbone_.backbone(); }

  Module& trained_module() override { return *this; }
  std::vector<ParameterGroup> parameter_groups() override;
  LossTerms training_step(const StepRequest& request) override;

 private:
  void on_train_mode(bool on) override;
  HeadResult head_result(const NamedTensors& taps, const at::Tensor& images_nchw, RunContext* run);

  SupervisedParameters parameters_;
  FineTunedBackbone backbone_;
  std::shared_ptr<SegmentationHead> head_;
  std::vector<WeightedLoss> losses_;
  std::int64_t ignore_index_;
  std::vector<std::string> head_taps_;
  std::vector<std::string> all_taps_;  // of head and losses
};

}  // namespace seedbed::supervised
