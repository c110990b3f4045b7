#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include <ATen/core/Generator.h>
#include <ATen/core/Tensor.h>

#include "seedbed/attention.hpp"
#include "seedbed/backbone.hpp"
#include "seedbed/export.hpp"
#include "seedbed/layers.hpp"
#include "seedbed/module.hpp"
#include "seedbed/step_chain.hpp"

/// The pre-norm transformer block that ViT, DINO and CLIP share.
namespace seedbed {

enum class Gelu {
  erf,    ///< x Phi(x)
  quick,  ///< x sigmoid(1.702 x), what OpenAI trained CLIP with
};

SEEDBED_API at::Tensor gelu(const at::Tensor& input, Gelu kind);

struct TransformerBlockOptions {
  std::int64_t width = 0;
  std::int64_t heads = 0;
  std::int64_t mlp_width = 0;
  double norm_epsilon = 1e-6;
  bool qkv_bias = true;
  Gelu gelu = Gelu::erf;
  double layer_scale = 0;  ///< initial value of the scales behind both branches; 0 = none
  double drop_path = 0;    ///< probability of leaving out a branch in training mode
  bool causal = false;     ///< text towers
};

/// What a reference implementation calls the parts of a block: names of parameters and sites.
struct TransformerBlockNames {
  std::string norm1 = "norm1", attention = "attn", norm2 = "norm2", mlp = "mlp", fc1 = "fc1", fc2 = "fc2";
  std::string activation = "act";
  AttentionNames projections = AttentionNames::timm;
};

/// tokens + attention(norm1(tokens)), then + mlp(norm2(tokens)). Parameters: `norm1.weight`, `attn.qkv.weight`,
/// `attn.proj.weight`, `ls1.gamma`, `mlp.fc1.weight` ...
class SEEDBED_API TransformerBlock : public Module {
 public:
  /// Linear weights are drawn from a normal distribution of deviation 0.02, biases are 0 (timm, DeiT, DINO).
  TransformerBlock(const TransformerBlockOptions& options, const at::Generator& generator,
                   TransformerBlockNames names = {});

  /// The block alone: no sites, no plan; [N,L,D].
  at::Tensor forward(const at::Tensor& tokens_nld, ParameterMode mode = ParameterMode::live) const;

 private:
  struct Sites;
  struct Visit;
  friend SEEDBED_API void add_transformer_block(StepChain& chain, std::shared_ptr<TransformerBlock> block,
                                                const std::string& name);
  at::Tensor attention_branch(const at::Tensor& tokens, const AttentionBlockPlan* plan, const Visit& visit) const;
  at::Tensor mlp_branch(const at::Tensor& tokens, const Visit& visit) const;
  at::Tensor run(const at::Tensor& tokens, const AttentionBlockPlan* plan, const Visit& visit) const;
  at::Tensor run_beside(const at::Tensor& tokens, const AttentionBlockPlan& plan, const at::Tensor& second_path,
                        const Visit& visit) const;

  TransformerBlockOptions options_;
  TransformerBlockNames names_;
  std::shared_ptr<LayerNorm> norm1_, norm2_;
  std::shared_ptr<SelfAttention> attention_;
  std::shared_ptr<LayerScale> scale1_, scale2_;  // null without layer scale
  std::shared_ptr<DropPath> drop_;
  std::shared_ptr<Linear> fc1_, fc2_;
};

/// Adds a block called `name` ("blocks.3") to a chain: its sites (block, norm, attention, norm, feed_forward, activation),
/// its step, which obeys the request's rewriter, attention plan and parameter mode, and its tap "block.N" (alias: `name`).
SEEDBED_API void add_transformer_block(StepChain& chain, std::shared_ptr<TransformerBlock> block,
                                       const std::string& name);

/// What follows the blocks works on the second path where a plan asked for one: that path's value, else `value`.
SEEDBED_API const at::Tensor& behind_blocks(const at::Tensor& value, const StepChain::Pass& pass);

}  // namespace seedbed
