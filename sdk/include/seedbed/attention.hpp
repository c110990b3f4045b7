#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include <ATen/core/Generator.h>
#include <ATen/core/Tensor.h>

#include "seedbed/backbone.hpp"
#include "seedbed/export.hpp"
#include "seedbed/layers.hpp"
#include "seedbed/module.hpp"

namespace seedbed {

/// What attention works on: q [N,heads,L,D/heads]; k and v the same with as many tokens as there are keys, fewer where
/// they are spatially reduced.
struct QueryKeyValue {
  at::Tensor q, k, v;
  at::Tensor input_nld{};  ///< what they were projected from; read for AttentionBlockPlan::temperature_by_length alone

  /// 'q', 'k' or 'v'. Throws: ContractError for another name.
  const at::Tensor& named(char name) const;
};

struct AttentionResult {
  at::Tensor mixed_nhld;  ///< v mixed by the map, [N,heads,L,D/heads]
  NamedTensors exports;   ///< of q, k, v, raw, unscaled, soft what the plan asks for
};

/// v mixed as `plan` says. Without a plan, or with one that neither changes the map nor exports it, LibTorch's fused kernel
/// does it; exporting changes the numbers by float noise alone. `causal` hides later tokens, and then there is no plan.
///
/// Threads: [any-thread]. Gradient: follows the caller's mode.
/// Throws: ContractError for a term, a head reduction or an external map that does not fit, and for `unscaled` where keys
/// are fewer than queries (only the caller knows their grid).
SEEDBED_API AttentionResult attend(const QueryKeyValue& vectors, const AttentionBlockPlan* plan, bool causal = false);

/// [N,heads,L,K] -> as it is or over heads [N,L,K]: "none", "mean", "max", "sum". Throws: ContractError otherwise.
SEEDBED_API at::Tensor reduce_heads(const at::Tensor& map_nhlk, std::string_view reduction);

/// What an attention's parameters are called: `qkv.weight`, `proj.weight` ... as timm has it, or `in_proj_weight`,
/// `out_proj.weight` ... as torch.nn.MultiheadAttention and so CLIP.
enum class AttentionNames { timm, torch };

/// Multi-head self-attention with one joint projection.
class SEEDBED_API SelfAttention : public Module {
 public:
  SelfAttention(std::int64_t width, std::int64_t heads, bool qkv_bias, const at::Generator& generator,
                bool causal = false, AttentionNames names = AttentionNames::timm);

  /// What an AttentionBlockPlan asked for, by export name ("q", "soft" ...).
  struct Output {
    at::Tensor tokens_nld;
    NamedTensors exports;
  };
  /// `plan` may be null: then LibTorch's fused kernel is used.
  Output forward(const at::Tensor& tokens_nld, const AttentionBlockPlan* plan,
                 ParameterMode mode = ParameterMode::live) const;

  Linear& qkv() { return *qkv_; }
  Linear& proj() { return *proj_; }

 private:
  std::int64_t heads_;
  bool causal_;
  std::shared_ptr<Linear> qkv_;
  std::shared_ptr<Linear> proj_;
};

/// [N,L,D] <-> [N,heads,L,D/heads].
SEEDBED_API at::Tensor split_heads(const at::Tensor& tokens_nld, std::int64_t heads);
SEEDBED_API at::Tensor join_heads(const at::Tensor& tokens_nhld);

}  // namespace seedbed
