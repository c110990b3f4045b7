#pragma once

#include <memory>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "seedbed/backbone.hpp"
#include "seedbed/export.hpp"
#include "seedbed/trainable.hpp"

namespace seedbed {

/// What methods that train a backbone under something new have in common; manifests declare these as parameters.
struct FineTuningOptions {
  std::string freeze_backbone = "none";  ///< "none", "all", or the tap up to which no gradient flows
  bool batch_statistics = false;         ///< batch norms that are trained use the batch's statistics in training
  double new_learning_rate_factor = 10.0;
  double bias_learning_rate_factor = 1.0;
  double bias_weight_decay_factor = 1.0;
};

/// A backbone of which a part may be frozen: that part runs without gradients, on stored statistics and without dropout.
///
/// Threads: [one-at-a-time].
class SEEDBED_API FineTunedBackbone {
 public:
  /// Throws: UserError for an unknown tap.
  FineTunedBackbone(std::shared_ptr<Backbone> backbone, FineTuningOptions options);

  Backbone& backbone() const { return *backbone_; }
  bool is_frozen() const { return options_.freeze_backbone == "all"; }

  /// What the owner calls in Module::on_train_mode(): a frozen backbone stays in evaluation mode.
  void keep_frozen_part_evaluating();

  /// The taps `names` of normalised images; a rewriter changes the frozen part too.
  NamedTensors taps(const at::Tensor& images_nchw, const std::vector<std::string>& names, RunContext* run,
                    SiteRewriter* rewriter = nullptr) const;

  /// Groups `pretrained*` of the backbone and `new*` of what stands on it and of what its weights file lacked, with the
  /// options' factors.
  std::vector<ParameterGroup> parameter_groups(const std::vector<const Module*>& added) const;

 private:
  std::shared_ptr<Backbone> backbone_;
  FineTuningOptions options_;
};

}  // namespace seedbed
