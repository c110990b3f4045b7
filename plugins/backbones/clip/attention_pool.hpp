#pragma once

#include <cstdint>
#include <memory>

#include <ATen/core/Generator.h>
#include <ATen/core/Tensor.h>

#include "architecture.hpp"
#include "seedbed/attention.hpp"
#include "seedbed/backbone.hpp"
#include "seedbed/layers.hpp"
#include "seedbed/module.hpp"
#include "visual_network.hpp"

namespace seedbed::clip {

/// The attention pool of CLIP's ResNet: the cells with their mean before them as tokens, positions added, one attention
/// whose output is projected to the shared space. OpenAI lets the mean ask alone; here every token does (as CLIP-ES has it),
/// and the first row is OpenAI's result.
class AttentionPool : public Module {
 public:
  AttentionPool(const Architecture& architecture, VisualOptions options, const at::Generator& generator);

  /// `cells_ndhw` [N,D,h,w] -> [N,1 + h w,E] and what `plan`, which may be null, wants exported.
  SelfAttention::Output forward(const at::Tensor& cells_ndhw, const AttentionBlockPlan* plan, ParameterMode mode) const;

 private:
  VisualOptions options_;
  std::int64_t heads_;
  at::Tensor table_;
  std::shared_ptr<Linear> query_, key_, value_, output_;
};

}  // namespace seedbed::clip
