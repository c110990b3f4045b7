#pragma once

#include <cstdint>
#include <string>

#include <ATen/core/Tensor.h>

#include "seedbed/backbone.hpp"

namespace seedbed::usage_inferred {

/// What MCTformer (Xu et al., CVPR 2022; models.py) makes of class maps at inference, where a transformer has one class
/// token for each class.
struct AttentionFusion {
  std::string rule = "none";   ///< none | product | root_product: of ReLU(map) and the class tokens' attention
  std::int64_t layers = 3;     ///< the last ones, whose attention of class tokens to cells is summed
  bool cell_affinity = false;  ///< the result is spread by the attention of cells to cells, summed over all blocks

  bool needs_attention() const { return rule != "none" || cell_affinity; }
};

/// The attention that the fusion reads: soft, averaged over heads, of all blocks.
AttentionPlan attention_plan(const Backbone& backbone);

/// Maps [N,C,h,w] fused with `attention`, what a pass under attention_plan() exported. Throws: UserError where `rule` needs a
/// class token for each class and the backbone has another number.
at::Tensor fuse_attention(const at::Tensor& maps_nchw, const NamedTensors& attention, const TokenLayout& layout,
                          const AttentionFusion& fusion);

}  // namespace seedbed::usage_inferred
