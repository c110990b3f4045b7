#pragma once

#include <string>
#include <vector>

#include "seedbed/backbone.hpp"
#include "seedbed/export.hpp"
#include "seedbed/segmentation_head.hpp"
#include "seedbed/trainable.hpp"

namespace seedbed {

/// How a segmenter is fitted. The parts (backbone, head, losses) come through ModelContext.
class SEEDBED_API TrainingStrategy : public Module, public Trainable {
 public:
  ~TrainingStrategy() override;

  /// Per-label logits of the fitted segmenter, [N,K,h,w] float32, for inference (eval mode, gradients off).
  virtual at::Tensor predict(const at::Tensor& images_nchw, RunContext& run) = 0;

  virtual Backbone* backbone() = 0;

 protected:
  TrainingStrategy() = default;
};

}  // namespace seedbed
