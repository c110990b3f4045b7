#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <ATen/core/Tensor.h>

#include "seedbed/fine_tuning.hpp"
#include "seedbed/loss.hpp"
#include "seedbed/model_context.hpp"
#include "seedbed/segmentation_head.hpp"
#include "seedbed/trainable.hpp"

namespace seedbed::label_correction {

/// What a batch of images became.
struct Pass {
  NamedTensors taps;
  HeadResult output;
};

/// What the losses compare it with.
struct Labels {
  at::Tensor target_nhw;   ///< [N,H,W] int64; 254 and 255 do not count
  at::Tensor weights_nhw;  ///< [N,H,W] float32; undefined = 1 everywhere
};

/// Backbone, head and losses of a segmenter, as a strategy that changes labels uses them. Their owner registers the modules.
class SegmenterParts {
 public:
  /// Throws: UserError for a tap that the backbone does not have; ContractError without losses.
  SegmenterParts(std::string_view strategy, const ModelContext& context, FineTuningOptions options,
                 double auxiliary_weight);

  FineTunedBackbone& backbone() { return backbone_; }
  const FineTunedBackbone& backbone() const { return backbone_; }
  const std::shared_ptr<SegmentationHead>& head() const { return head_; }
  /// The losses' parameters, by the losses' names.
  std::shared_ptr<Module> losses() const { return losses_module_; }
  /// Groups `pretrained*` and `new*`; `more` stands beside head and losses.
  std::vector<ParameterGroup> parameter_groups(const std::vector<const Module*>& more = {}) const;

  /// Whether any loss reads `need` (Loss::needs).
  bool any_loss_needs(std::string_view need) const;

  /// With everything that losses read. Gradient: the caller's mode.
  Pass pass(const at::Tensor& images_nchw, RunContext* run) const;
  /// [N,K,h,w]
  at::Tensor logits(const at::Tensor& images_nchw, RunContext* run) const;

  /// One term a loss, times its weight, auxiliary outputs included; terms that the study switched off at this step are left out.
  LossTerms terms(const StepRequest& request, const Pass& pass, const Labels& labels) const;

 private:
  HeadResult head_result(const NamedTensors& taps, const at::Tensor& images_nchw, RunContext* run) const;

  FineTunedBackbone backbone_;
  std::shared_ptr<SegmentationHead> head_;
  std::vector<WeightedLoss> losses_;
  std::shared_ptr<Module> losses_module_;
  double auxiliary_weight_;
  std::int64_t ignore_index_;
  std::vector<std::string> head_taps_;
  std::vector<std::string> all_taps_;  // of head and losses
};

}  // namespace seedbed::label_correction
