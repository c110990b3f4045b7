#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include <ATen/core/Generator.h>

#include "architecture.hpp"
#include "seedbed/backbone.hpp"
#include "seedbed/kernels/position_table.hpp"
#include "seedbed/module.hpp"
#include "seedbed/step_chain.hpp"
#include "seedbed/transformer.hpp"

namespace seedbed::clip {

/// What an image network needs beside its sizes.
struct VisualOptions {
  Gelu gelu = Gelu::quick;
  double norm_epsilon = 1e-5;
  kernels::PositionRule position_rule = kernels::PositionRule::bilinear;
  std::int64_t position_base = 0;  ///< cells a side of a grid in between; 0 = none
  std::int64_t frozen_stages = 0;
};

/// Projected tokens, the class token first: what both image networks end in.
constexpr std::int64_t kClassTokens = 1;

/// The image transformer under CLIP's names (class_embedding, conv1, ln_pre, transformer.resblocks.0 ... proj). Its steps,
/// sites and taps up to "tokens" are added to `chain`; sites and aliases carry `prefix` ("visual.").
std::shared_ptr<Module> add_visual_transformer(StepChain& chain, const std::string& prefix,
                                               const Architecture& architecture, const VisualOptions& options,
                                               const at::Generator& generator);

/// CLIP's ResNet: three stem convolutions, average pools in place of strides, and an attention pool in which every cell
/// asks, not only the mean. Attention plans find the pool as the only block, which has no residual and no feed-forward part.
std::shared_ptr<Module> add_visual_resnet(StepChain& chain, const std::string& prefix, const Architecture& architecture,
                                          const VisualOptions& options, const at::Generator& generator);

/// Rows of `table_ld`, the class token's first, for a grid of height x width cells: [1,1 + height * width,D].
at::Tensor fitted_positions(const at::Tensor& table_ld, std::int64_t height, std::int64_t width,
                            const VisualOptions& options);

}  // namespace seedbed::clip
